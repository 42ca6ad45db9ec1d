import { JsonText } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { leases, QUEUE, take } from './leasing.ts';
import { setup } from './setup.ts';

describe('taking', () => {
  it('hands out jobs in the order a worker would get them, and leaves them active', async (t) => {
    const { jobs } = await setup(t, { leases });
    const names = ['urgent', 'third', 'second', 'first'];
    await jobs.enqueue(QUEUE, { name: 'second' });
    await jobs.enqueue(QUEUE, { name: 'third' });
    await jobs.enqueue(QUEUE, { name: 'first', opts: { lifo: true } });
    await jobs.enqueue(QUEUE, { name: 'urgent', opts: { priority: 2 } });

    const taken = await take(jobs, { count: 10 });

    expect(taken.map(({ job }) => job.name)).toEqual(names.toReversed());
    expect((await jobs.queue(QUEUE)).counts).toMatchObject({ active: 4, waiting: 0, prioritized: 0 });
    expect(await take(jobs)).toEqual([]);
  });

  it('tells of the job, as its data was written', async (t) => {
    const { jobs } = await setup(t, { leases });
    const data = new JsonText('{"n":12345678901234567890,"f":1.0}');
    const { id } = await jobs.enqueue(QUEUE, { name: 'n', data, opts: { attempts: 3, timeout: 90_000 } });

    const [taken] = await take(jobs);

    expect(taken).toEqual({
      lease: expect.any(String),
      attempt: 1,
      expiresAt: expect.any(Number),
      job: {
        id,
        queue: QUEUE,
        name: 'n',
        data,
        maxAttempts: 3,
        timeoutMs: 90_000,
        createdAt: expect.any(Number),
        parent: null,
        scheduler: null,
      },
    });
    const leftMs = (taken?.expiresAt ?? 0) - Date.now();
    expect(leftMs).toBeGreaterThan(29_000);
    expect(leftMs).toBeLessThanOrEqual(30_100);
  });

  it('takes delayed jobs that are due, and wakes for one that comes due', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'late', opts: { delay: 300 } });

    expect(await take(jobs)).toEqual([]);
    const [taken] = await take(jobs, { waitMs: 10_000 });

    expect(taken?.job.id).toBe(id);
  });

  it('hands out nothing of a paused queue, and wakes when it is resumed', async (t) => {
    const { jobs } = await setup(t, { leases });
    await jobs.enqueue(QUEUE, { name: 'n' });
    await jobs.pause(QUEUE);

    expect(await take(jobs)).toEqual([]);
    const waiting = take(jobs, { waitMs: 10_000 });
    await jobs.resume(QUEUE);

    expect(await waiting).toHaveLength(1);
  });

  it('keeps to the concurrency of the queue, and wakes when a place comes free', async (t) => {
    const { jobs } = await setup(t, { leases });
    await jobs.setLimits(QUEUE, { concurrency: 2 });
    await jobs.enqueueMany(QUEUE, [{ name: 'a' }, { name: 'b' }, { name: 'c' }]);

    const first = await take(jobs, { count: 10 });
    expect(first.map(({ job }) => job.name)).toEqual(['a', 'b']);
    const waiting = take(jobs, { count: 10, waitMs: 10_000 });
    await jobs.leases.complete(jobs.leases.open(first[0]?.lease as string, 'k'), 1);

    expect((await waiting).map(({ job }) => job.name)).toEqual(['c']);
  });

  it('keeps to the rate of the queue, and goes on when its time is over', async (t) => {
    const { jobs } = await setup(t, { leases });
    await jobs.setLimits(QUEUE, { rate: { max: 2, duration: 400 } });
    await jobs.enqueueMany(QUEUE, [{ name: 'a' }, { name: 'b' }, { name: 'c' }]);

    expect(await take(jobs, { count: 10 })).toHaveLength(2);
    expect(await take(jobs, { count: 10 })).toEqual([]);

    expect(await take(jobs, { count: 10, waitMs: 10_000 })).toHaveLength(1);
  });

  it('ends jobs that expired before they began, instead of handing them out', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'late', opts: { ttl: 1 } });
    await jobs.enqueue(QUEUE, { name: 'good' });
    const enqueuedAt = Date.now();
    await expect.poll(() => Date.now()).toBeGreaterThan(enqueuedAt + 1);

    const taken = await take(jobs, { count: 2, waitMs: 1_000 });

    expect(taken.map(({ job }) => job.name)).toEqual(['good']);
    expect(await jobs.get(QUEUE, id)).toMatchObject({ state: 'expired', attempts: { made: 1 } });
  });

  it('ends a job whose failure was decided before it began', async (t) => {
    const { jobs, redis } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'parent' });
    await redis.client.hset(`${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:${id}`, 'defa', 'child x failed');

    expect(await take(jobs)).toEqual([]);

    expect(await jobs.get(QUEUE, id)).toMatchObject({
      state: 'failed',
      error: { code: 'error', message: 'child x failed' },
    });
  });
});
