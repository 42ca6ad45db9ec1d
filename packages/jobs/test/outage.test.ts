import { keyspace } from '@sluice/config';
import { type RedisClient, redisFault, untilReady } from '@sluice/redis';
import { type TestServer, testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import type { TestContext } from './setup.ts';

const DURABLE = ['appendonly yes', 'appendfsync always'];

interface Bundle {
  jobs: Jobs;
  server: TestServer;
  client: RedisClient;
  ready(): Promise<void>;
}

/** Jobs on a Redis of their own, which the test takes away. */
async function setup(t: TestContext, settings = DURABLE): Promise<Bundle> {
  const server = await testServer(t, { settings });
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const jobs = new Jobs({
    client,
    subscriber: server.connect('subscriber'),
    keys: keyspace('t', { isCluster: false }),
  });
  t.onTestFinished(() => jobs.close());
  return { jobs, server, client, ready: () => untilReady(client, 5_000) };
}

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work().catch(() => undefined);
  return performance.now() - before;
}

describe('while Redis is away', () => {
  it('refuses at once and says that nothing was attempted', async (t) => {
    const { jobs, server } = await setup(t);
    await jobs.enqueue('q', { name: 'n' });
    await server.stop();

    const enqueuing = jobs.enqueue('q', { name: 'n' });

    await expect(enqueuing).rejects.toSatisfy((error) => redisFault(error)?.kind === 'unavailable');
    const times = [];
    for (let index = 0; index < 50; index += 1)
      times.push(await elapsedMs(() => jobs.enqueue('q', { name: 'n' })));
    expect(times.sort((a, b) => a - b)[25]).toBeLessThan(10);
    for (const call of [
      () => jobs.get('q', 'j_1'),
      () => jobs.queues(),
      () => jobs.list('q', { state: 'waiting' }),
      () => jobs.waitForResult('q', 'j_1', { timeoutMs: 60_000 }),
      () => jobs.subscribe('q'),
      () => jobs.pause('q'),
      () => jobs.drain('q'),
      () => jobs.schedulers.list('q', {}),
      () => jobs.flows.add({ queue: 'q', name: 'n' }),
    ]) {
      expect(await elapsedMs(call)).toBeLessThan(2_000);
    }
  });

  it('ends a wait at once', async (t) => {
    const { jobs, server } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });
    const waiting = jobs.waitForResult('q', id, { timeoutMs: 60_000 });
    await jobs.waitForResult('q', id, { timeoutMs: 50 });

    const ended = elapsedMs(() => waiting);
    await server.kill();

    expect(await ended).toBeLessThan(2_000);
    await expect(waiting).rejects.toSatisfy((error) => redisFault(error)?.kind === 'unavailable');
  });

  it('serves again when Redis is back, with what it had, and a scripts cache that is empty', async (t) => {
    const { jobs, server, ready } = await setup(t);
    const kept = await jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' });
    await server.kill();
    await expect(jobs.enqueue('q', { name: 'n' })).rejects.toThrow();

    await server.start();
    await ready();

    expect(await jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' })).toEqual({ ...kept, created: false });
    expect((await jobs.queue('q')).counts.waiting).toBe(1);
  });

  it('begins before Redis does', async (t) => {
    const server = await testServer(t);
    await server.stop();
    const client = server.connect('request');
    const jobs = new Jobs({
      client,
      subscriber: server.connect('subscriber'),
      keys: keyspace('t', { isCluster: false }),
    });
    t.onTestFinished(() => jobs.close());
    expect(await elapsedMs(() => jobs.enqueue('q', { name: 'n' }))).toBeLessThan(500);

    await server.start();
    await untilReady(client, 5_000);

    expect((await jobs.enqueue('q', { name: 'n' })).created).toBe(true);
    expect((await jobs.pause('q')).isPaused).toBe(true);
  });

  it('answers in time when Redis is silent, and the outcome is unknown', async (t) => {
    const { jobs, server } = await setup(t);
    await jobs.enqueue('q', { name: 'n' });
    server.pause();

    const enqueuing = jobs.enqueue('q', { name: 'n' });

    expect(await elapsedMs(() => enqueuing)).toBeLessThan(2_000);
    await expect(enqueuing).rejects.toSatisfy((error) => redisFault(error)?.outcome === 'unknown');
    server.resume();
  });

  it('holds a bounded number of jobs that Redis has not taken yet', async (t) => {
    const { jobs } = await setup(t, ['save ""']);

    const enqueuing = Promise.allSettled(
      Array.from({ length: 50_000 }, () => jobs.enqueue('q', { name: 'n' })),
    );

    await expect(jobs.enqueue('q', { name: 'n' })).rejects.toMatchObject({ code: 'overloaded' });
    await enqueuing;
    expect((await jobs.enqueue('q', { name: 'n' })).created).toBe(true);
  });

  it('takes nothing half when Redis is full', async (t) => {
    const { jobs, server } = await setup(t, ['save ""', 'maxmemory 3mb', 'maxmemory-policy noeviction']);

    const refusals = [];
    let stored = 0;
    for (let index = 0; index < 40; index += 1) {
      const results = await jobs.enqueueMany(
        'q',
        Array.from({ length: 10 }, () => ({ name: 'n', data: 'x'.repeat(10_000) })),
      );
      stored += results.filter(({ ok }) => ok).length;
      refusals.push(
        ...results
          .filter((each) => !each.ok)
          .map((each) => redisFault((each as { error: unknown }).error)?.kind),
      );
    }

    expect(new Set(refusals)).toEqual(new Set(['oom']));
    await server.admin().config('SET', 'maxmemory', '0');
    expect((await jobs.queue('q')).counts.waiting).toBe(stored);
  });
});
