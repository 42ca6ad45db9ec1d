import { JsonText } from '@sluice/runtime';
import { describe, expect, it, vi } from 'vitest';
import { leases, QUEUE, takeOne } from './leasing.ts';
import { setup } from './setup.ts';

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
