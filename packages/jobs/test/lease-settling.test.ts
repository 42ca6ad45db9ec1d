import { JsonText } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { leases, QUEUE, take, takeOne } from './leasing.ts';
import { setup } from './setup.ts';

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
