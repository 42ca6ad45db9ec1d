import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { StandaloneConfig } from '@sluice/config';
import { close, connect as connectRedis, untilReady } from '@sluice/redis';
import { describe, expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import { setup, type TestContext } from './setup.ts';

describe('an idempotency key', () => {
  it('makes one job of a hundred parallel twins from two processes', async (t) => {
    const { jobs, redis } = await setup(t);
    const other = new Jobs({
      client: redis.connect('worker'),
      subscriber: redis.connect('subscriber'),
      keys: redis.keys,
    });
    t.onTestFinished(() => other.close());

    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        (index % 2 ? jobs : other).enqueue('q', {
          name: 'pay',
          data: { cents: 100 },
          idempotencyKey: 'order 7',
        }),
      ),
    );

    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ created, ...rest }) => JSON.stringify(rest))).size).toBe(1);
    expect((await jobs.queue('q')).counts.waiting).toBe(1);
  });

  it('makes one job of twins in one batch, and leaves their neighbours alone', async (t) => {
    const { jobs } = await setup(t);
    const twin = { name: 'pay', data: 1, idempotencyKey: 'k' };

    const results = await jobs.enqueueMany('q', [twin, { name: 'pay', data: 1 }, twin, { ...twin, data: 2 }]);

    const ids = results.map((each) => (each.ok ? each.job.id : (each.error as { code: string }).code));
    expect(ids[2]).toBe(ids[0]);
    expect(ids[1]).not.toBe(ids[0]);
    expect(ids[3]).toBe('idempotency_mismatch');
    expect((await jobs.queue('q')).counts.waiting).toBe(2);
  });

  for (const [what, changed] of [
    ['data', { data: { a: 2 } }],
    ['name', { name: 'other' }],
    ['options', { opts: { priority: 1 } }],
  ] as const) {
    it(`refuses another ${what} within its window`, async (t) => {
      const { jobs } = await setup(t);
      const job = { name: 'n', data: { a: 1 }, idempotencyKey: 'k' };
      await jobs.enqueue('q', job);

      await expect(jobs.enqueue('q', { ...job, ...changed })).rejects.toMatchObject({
        code: 'idempotency_mismatch',
      });

      expect((await jobs.enqueue('q', job)).created).toBe(false);
    });
  }

  it('belongs to its queue', async (t) => {
    const { jobs } = await setup(t);

    const one = await jobs.enqueue('a', { name: 'n', idempotencyKey: 'k' });
    const other = await jobs.enqueue('b', { name: 'n', idempotencyKey: 'k' });

    expect([one.created, other.created]).toEqual([true, true]);
    expect(other.id).not.toBe(one.id);
  });

  it('is good for another job when its window has passed', async (t) => {
    const { jobs } = await setup(t, { idempotencyWindowMs: 20 });
    const first = await jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' });

    await expect
      .poll(async () => (await jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' })).id)
      .not.toBe(first.id);
  });

  it('stands after its job is gone, and is kept for a day', async (t) => {
    const { jobs, redis, bullQueue } = await setup(t);
    const first = await jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' });
    await bullQueue('q').remove(first.id);

    expect(await jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' })).toEqual({ ...first, created: false });

    const [record] = (await redis.allKeys()).filter((key) => key.includes(':sluice:once:'));
    expect(await redis.client.pttl(record as string)).toBeGreaterThan(86_390_000);
  });

  it('gives the job a retry asks for whose first answer was lost', async (t) => {
    const { jobs, redis } = await setup(t);
    const mute = await muteRedis(t, redis.config as StandaloneConfig);
    const client = connectRedis({ config: mute.config, profile: 'request', name: 'mute' });
    t.onTestFinished(() => close(client));
    await untilReady(client, 5_000);
    const cut = new Jobs({ client, subscriber: client, keys: redis.keys });
    await cut.enqueue('q', { name: 'warm' });

    mute.dropAnswers();
    const lost = cut.enqueue('q', { name: 'pay', idempotencyKey: 'k' });
    await expect(lost).rejects.toThrow();
    const retried = await jobs.enqueue('q', { name: 'pay', idempotencyKey: 'k' });

    expect(retried.created).toBe(false);
    expect((await jobs.queue('q')).counts.waiting).toBe(2);
  });
});

/** Redis behind a proxy that goes on carrying requests, and stops carrying answers when told. */
async function muteRedis(
  t: TestContext,
  config: StandaloneConfig,
): Promise<{ config: StandaloneConfig; dropAnswers(): void }> {
  let isMute = false;
  const proxy = createServer((caller) => {
    const server = connect(config.port, config.host);
    caller.on('error', () => server.destroy()).pipe(server);
    server
      .on('error', () => caller.destroy())
      .on('data', (chunk: Buffer) => {
        if (!isMute) caller.write(chunk);
      });
    caller.on('close', () => server.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.onTestFinished(() => void proxy.close());
  return {
    config: { ...config, host: '127.0.0.1', port: (proxy.address() as AddressInfo).port },
    dropAnswers() {
      isMute = true;
    },
  };
}
