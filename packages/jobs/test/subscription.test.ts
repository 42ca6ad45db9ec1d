import { describe, expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import type { QueueEvent } from '../src/subscription.ts';
import { setup } from './setup.ts';

/** Events up to the first that fits, that one included. */
async function until(
  stream: AsyncIterableIterator<QueueEvent>,
  isLast: (event: QueueEvent) => boolean,
): Promise<QueueEvent[]> {
  const seen: QueueEvent[] = [];
  for await (const event of stream) {
    seen.push(event);
    if (isLast(event)) break;
  }
  return seen;
}

describe('subscribe', () => {
  it("tells a job's life and ends with it", async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });
    const stream = await jobs.subscribe('q', { jobId: id });
    await jobs.enqueue('q', { name: 'another' });

    bullWorker('q', () => ({ ok: true }));
    const seen = await until(stream, () => false);

    expect(seen.map(({ event, jobId }) => [event, jobId])).toEqual([
      ['active', id],
      ['completed', id],
    ]);
    expect(seen.at(-1)?.data).toMatchObject({ result: { text: '{"ok":true}' } });
  });

  it('resumes behind the last event seen, also across pages', async (t) => {
    const { jobs } = await setup(t);
    const stream = await jobs.subscribe('q');
    await jobs.enqueue('q', { name: 'first' });
    const [first] = await until(stream, () => true);
    await Promise.all(Array.from({ length: 400 }, () => jobs.enqueue('q', { name: 'n' })));

    const resumed = await jobs.subscribe('q', { afterId: (first as QueueEvent).id });
    await jobs.enqueue('q', { name: 'last' });
    const seen = await until(resumed, ({ data }) => data.name === 'last');

    expect(seen.filter(({ event }) => event === 'added')).toHaveLength(401);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
    expect(seen.some(({ event }) => event === 'gap')).toBe(false);
  });

  it('tells a gap when events it has not seen were trimmed', async (t) => {
    const { jobs, redis } = await setup(t);
    const stream = await jobs.subscribe('q');
    await jobs.enqueue('q', { name: 'first' });
    const [first] = await until(stream, () => true);
    await jobs.enqueue('q', { name: 'second' });
    await redis.client.xtrim(`${redis.keys.queuePrefix('q')}:q:events`, 'MAXLEN', 1);

    const seen = await until(
      await jobs.subscribe('q', { afterId: (first as QueueEvent).id }),
      ({ event }) => event === 'waiting',
    );

    expect(seen.map(({ event }) => event)).toEqual(['gap', 'waiting']);
  });

  it('tells the end of a job that had ended before', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });
    bullWorker('q', () => {
      throw new Error('broken');
    });
    await jobs.waitForResult('q', id, { timeoutMs: 5_000 });

    const seen = await until(await jobs.subscribe('q', { jobId: id }), () => false);

    expect(seen).toEqual([
      expect.objectContaining({
        event: 'failed',
        jobId: id,
        data: { error: { code: 'error', message: 'broken' } },
      }),
    ]);
  });

  it('ends a resumed stream of a job that is gone', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });
    await jobs.remove('q', id);

    const seen = await until(await jobs.subscribe('q', { jobId: id, afterId: '1-0' }), () => false);

    expect(seen.map(({ event }) => event).at(-1)).toBe('removed');
    await expect(jobs.subscribe('q', { jobId: id })).rejects.toMatchObject({ code: 'job_not_found' });
  });

  it('drops a reader that does not keep up, and says so', async (t) => {
    const { jobs } = await setup(t);
    const stream = await jobs.subscribe('q');
    const name = 'x'.repeat(128);
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(Array.from({ length: 500 }, () => jobs.enqueue('q', { name })));
    }
    const watch = await jobs.subscribe('q');
    await jobs.enqueue('q', { name: 'last' });
    await until(watch, ({ data }) => data.name === 'last');

    const seen = await until(stream, () => false);

    expect(seen.map(({ event }) => event)).toEqual(['overflow']);
  });

  it('ends with its signal', async (t) => {
    const { jobs } = await setup(t);
    const controller = new AbortController();
    const stream = await jobs.subscribe('q', { signal: controller.signal });

    const reading = until(stream, () => false);
    controller.abort();

    expect(await reading).toEqual([]);
    expect(jobs.listenerCount).toBe(0);
  });

  for (const [how, leave] of [
    ['was never read', async (stream: AsyncIterableIterator<QueueEvent>) => void (await stream.return?.())],
    [
      'waits for an event',
      async (stream: AsyncIterableIterator<QueueEvent>) => {
        const next = stream.next();
        await stream.return?.();
        expect(await next).toEqual({ done: true, value: undefined });
      },
    ],
  ] as const) {
    it(`lets its listener go when it ${how} and is left`, async (t) => {
      const { jobs } = await setup(t);
      const stream = await jobs.subscribe('q');
      expect(jobs.listenerCount).toBe(1);

      await leave(stream);

      expect(jobs.listenerCount).toBe(0);
    });
  }

  it('goes on after the connection was cut, and misses nothing', async (t) => {
    const { redis } = await setup(t);
    const subscriber = redis.connect('subscriber');
    const connectionId = await subscriber.client('ID');
    const jobs = new Jobs({ client: redis.client, subscriber, keys: redis.keys });
    t.onTestFinished(() => jobs.close());
    const stream = await jobs.subscribe('q');
    await jobs.enqueue('q', { name: 'before' });

    await redis.admin().call('CLIENT', 'KILL', 'ID', connectionId);
    await jobs.enqueue('q', { name: 'after' });

    const seen = await until(stream, ({ data }) => data.name === 'after');

    expect(seen.filter(({ event }) => event === 'added').map(({ data }) => data.name)).toEqual([
      'before',
      'after',
    ]);
  });

  it('refuses what is no id of an event', async (t) => {
    const { jobs } = await setup(t);

    await expect(jobs.subscribe('q', { afterId: '$' })).rejects.toMatchObject({ code: 'job_invalid' });
  });
});
