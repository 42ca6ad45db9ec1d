import { JsonText } from '@sluice/runtime';
import { describe, expect, it, vi } from 'vitest';
import type { Jobs } from '../src/jobs.ts';
import type { TakeOptions } from '../src/leases.ts';
import { setup } from './setup.ts';

const QUEUE = 'work';
const SECRET = Buffer.alloc(32, 7);
const leases = { secret: SECRET, checkMs: 100 };

function take(jobs: Jobs, options: Partial<TakeOptions> = {}) {
  return jobs.leases.take(QUEUE, { count: 1, leaseMs: 30_000, holder: 'k', ...options });
}

/** The lease of the one job there is to take. */
async function takeOne(jobs: Jobs, options: Partial<TakeOptions> = {}) {
  const [taken] = await take(jobs, options);
  if (!taken) throw new Error('there was no job to take');
  return { ...taken, facts: jobs.leases.open(taken.lease, options.holder ?? 'k') };
}

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

describe('completing', () => {
  it('stores the result as its own text, and wakes whoever waits for it', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    const { facts } = await takeOne(jobs);
    const waiting = jobs.waitForResult(QUEUE, id, { timeoutMs: 5_000 });

    const settled = await jobs.leases.complete(facts, new JsonText('{"big":12345678901234567890}'));

    expect(settled).toEqual({ id, queue: QUEUE, state: 'completed' });
    expect(await waiting).toEqual({
      kind: 'completed',
      result: new JsonText('{"big":12345678901234567890}'),
    });
    expect(await jobs.get(QUEUE, id)).toMatchObject({
      state: 'completed',
      attempts: { made: 1, started: 1, lost: 0 },
    });
  });

  it('answers the same to the same call, and refuses another result', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    const { facts } = await takeOne(jobs);

    const answers = [
      await jobs.leases.complete(facts, { a: 1 }),
      await jobs.leases.complete(facts, { a: 1 }),
    ];

    expect(answers).toEqual(Array(2).fill({ id, queue: QUEUE, state: 'completed' }));
    await expect(jobs.leases.complete(facts, { a: 2 })).rejects.toMatchObject({ code: 'lease_lost' });
    await expect(jobs.leases.fail(facts, { message: 'no', isRetryable: true })).rejects.toMatchObject({
      code: 'lease_lost',
    });
    expect(await jobs.get(QUEUE, id)).toMatchObject({ state: 'completed', result: new JsonText('{"a":1}') });
  });

  it('completes many of several queues, each for itself', async (t) => {
    const { jobs } = await setup(t, { leases });
    await jobs.enqueueMany(QUEUE, [{ name: 'a' }, { name: 'b' }]);
    await jobs.enqueue('other', { name: 'c' });
    const here = await take(jobs, { count: 2 });
    const there = await jobs.leases.take('other', { count: 1, leaseMs: 30_000, holder: 'k' });
    const facts = [...here, ...there].map(({ lease }) => jobs.leases.open(lease, 'k'));
    await jobs.leases.release(facts[1] as (typeof facts)[0]);

    const results = await jobs.leases.completeMany(facts.map((lease, index) => ({ lease, result: index })));

    expect(results).toMatchObject([
      { ok: true, settled: { state: 'completed' } },
      { ok: false, error: { code: 'lease_lost' } },
      { ok: true, settled: { queue: 'other', state: 'completed' } },
    ]);
  });
});

describe('failing', () => {
  it('tries again at once, after its backoff, after a delay of its own, and fails with the last attempt', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n', opts: { attempts: 3 } });
    const failure = { message: 'no luck', stack: 'Error: no luck\n  at x', isRetryable: true };

    const first = await takeOne(jobs);
    expect(await jobs.leases.fail(first.facts, failure)).toEqual({ id, queue: QUEUE, state: 'waiting' });
    const second = await takeOne(jobs);
    expect(second.attempt).toBe(2);
    expect((await jobs.leases.fail(second.facts, { ...failure, delayMs: 50 })).state).toBe('delayed');
    const third = await takeOne(jobs, { waitMs: 5_000 });
    expect((await jobs.leases.fail(third.facts, failure)).state).toBe('failed');
    expect((await jobs.leases.fail(third.facts, failure)).state).toBe('failed');

    expect(await jobs.get(QUEUE, id)).toMatchObject({
      state: 'failed',
      error: { code: 'error', message: 'no luck' },
      stacks: Array(3).fill('Error: no luck\n  at x'),
      attempts: { made: 3, started: 3, max: 3, lost: 0 },
    });
  });

  it('ends a job for good, whatever attempts are left', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, {
      name: 'n',
      opts: { attempts: 5, backoff: { type: 'fixed', delay: 10 } },
    });
    const { facts } = await takeOne(jobs);

    expect((await jobs.leases.fail(facts, { message: 'closed', isRetryable: false })).state).toBe('failed');

    expect(await jobs.get(QUEUE, id)).toMatchObject({ error: { code: 'fatal', message: 'closed' } });
  });
});

describe('a lost lease', () => {
  it('is handed out again, counted, and changes nothing any more', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    const first = await takeOne(jobs, { leaseMs: 150 });

    const second = await takeOne(jobs, { waitMs: 5_000 });

    expect(second.job.id).toBe(id);
    const stale = [
      jobs.leases.heartbeat(first.facts),
      jobs.leases.complete(first.facts, 1),
      jobs.leases.fail(first.facts, { message: 'x', isRetryable: false }),
      jobs.leases.release(first.facts),
      jobs.leases.progress(first.facts, 1),
      jobs.leases.log(first.facts, ['x']),
    ];
    for (const each of await Promise.allSettled(stale))
      expect(each).toMatchObject({ status: 'rejected', reason: { code: 'lease_lost' } });
    expect(await jobs.get(QUEUE, id)).toMatchObject({ state: 'active', attempts: { made: 0, lost: 1 } });
    expect((await jobs.leases.complete(second.facts, 2)).state).toBe('completed');
  });

  it('ends the job with a reason after max_deliveries of them, without anybody asking for it', async (t) => {
    const { jobs } = await setup(t, { leases: { ...leases, maxDeliveries: 2 } });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n', opts: { attempts: 50 } });

    for (let delivery = 1; delivery <= 2; delivery += 1) await takeOne(jobs, { leaseMs: 100, waitMs: 5_000 });
    await vi.waitFor(async () => expect((await jobs.get(QUEUE, id)).state).toBe('failed'), 5_000);

    expect(await jobs.get(QUEUE, id)).toMatchObject({
      error: { code: 'max_deliveries', message: 'delivered 2 times without an outcome' },
    });
  });

  it('is a failed attempt when the timeout of the job ends it', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n', opts: { timeout: 200 } });
    const { facts, expiresAt } = await takeOne(jobs);
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(250);
    expect((await jobs.leases.heartbeat(facts)).expiresAt).toBe(expiresAt);

    await vi.waitFor(async () => expect((await jobs.get(QUEUE, id)).state).toBe('failed'), 5_000);

    expect(await jobs.get(QUEUE, id)).toMatchObject({
      error: { code: 'timeout' },
      attempts: { made: 1, lost: 0 },
    });
  });
});

describe('heartbeats', () => {
  it('extend the lease beyond its time', async (t) => {
    const { jobs, redis } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    const { facts } = await takeOne(jobs, { leaseMs: 300 });

    const { expiresAt, isCancelling } = await jobs.leases.heartbeat(facts, 60_000);

    expect(isCancelling).toBe(false);
    expect(expiresAt - Date.now()).toBeGreaterThan(59_000);
    const left = await redis.client.pttl(`${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:${id}:lock`);
    expect(left).toBeGreaterThan(59_000);
  });

  it('tell of a cancel, and completing ends as cancelled then, twice too', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n', opts: { attempts: 3 } });
    const { facts } = await takeOne(jobs);
    expect(await jobs.cancel(QUEUE, id)).toEqual({ kind: 'cancelling' });

    expect(await jobs.leases.heartbeat(facts)).toMatchObject({ isCancelling: true });
    const settled = { id, queue: QUEUE, state: 'cancelled' };
    expect(await jobs.leases.complete(facts, 1)).toEqual(settled);
    expect(await jobs.leases.complete(facts, 1)).toEqual(settled);

    expect(await jobs.get(QUEUE, id)).toMatchObject({
      state: 'cancelled',
      result: null,
      error: { code: 'cancelled', message: 'cancelled on request' },
    });
  });

  it('of a cancelled job that fail: it does not run again', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n', opts: { attempts: 3 } });
    const { facts } = await takeOne(jobs);
    await jobs.cancel(QUEUE, id);

    expect((await jobs.leases.fail(facts, { message: 'stopped', isRetryable: true })).state).toBe(
      'cancelled',
    );
  });

  it('that never come let a cancelled job end by itself', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    await takeOne(jobs, { leaseMs: 150 });
    await jobs.cancel(QUEUE, id);

    await vi.waitFor(async () => expect((await jobs.get(QUEUE, id)).state).toBe('cancelled'), 5_000);
  });
});

describe('releasing', () => {
  it('puts a job back before the others, and counts nothing', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'first' });
    await jobs.enqueue(QUEUE, { name: 'second' });
    const { facts } = await takeOne(jobs);

    expect(await jobs.leases.release(facts)).toEqual({ id, queue: QUEUE, state: 'waiting' });

    expect((await takeOne(jobs)).job.id).toBe(id);
    expect((await jobs.get(QUEUE, id)).attempts).toMatchObject({ made: 0, lost: 0 });
  });

  it('puts it back for later with a delay, and among its priority', async (t) => {
    const { jobs } = await setup(t, { leases });
    await jobs.enqueue(QUEUE, { name: 'n', opts: { priority: 3 } });
    const { facts } = await takeOne(jobs);
    expect((await jobs.leases.release(facts)).state).toBe('prioritized');
    const again = await takeOne(jobs);

    expect((await jobs.leases.release(again.facts, 100)).state).toBe('delayed');

    expect(await take(jobs)).toEqual([]);
    expect(await take(jobs, { waitMs: 5_000 })).toHaveLength(1);
  });
});

describe('progress and logs', () => {
  it('are shown beside the job', async (t) => {
    const { jobs } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    const { facts } = await takeOne(jobs);

    await jobs.leases.progress(facts, { done: 1 });
    expect(await jobs.leases.log(facts, ['one', 'two'])).toBe(2);

    expect((await jobs.get(QUEUE, id)).progress).toEqual(new JsonText('{"done":1}'));
    expect(await jobs.logs(QUEUE, id)).toEqual({ lines: ['one', 'two'], total: 2 });
    await expect(jobs.leases.progress(facts, 'x'.repeat(5_000))).rejects.toMatchObject({
      code: 'job_invalid',
    });
  });
});
