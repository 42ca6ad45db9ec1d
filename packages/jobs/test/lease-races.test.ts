import { expect, it } from 'vitest';
import { QUEUE, leases as settings, takeOne } from './leasing.ts';
import { setup } from './setup.ts';

/** Nothing that is lost is looked for meanwhile. */
const leases = { ...settings, checkMs: 60_000 };

for (const lost of ['lock', 'job'] as const) {
  it(`hands out the others when an expired job loses its ${lost} before it has been ended`, async (t) => {
    let lose = () => {};
    // Told of the good job when the expired one has been taken, and before it is ended on the same connection.
    const watch = { waited: () => lose(), ended: () => undefined };
    const { jobs, redis } = await setup(t, { leases: { ...leases, watch } });
    const { id } = await jobs.enqueue(QUEUE, { name: 'late', opts: { ttl: 1 } });
    const good = await jobs.enqueue(QUEUE, { name: 'good' });
    const enqueuedAt = Date.now();
    await expect.poll(() => Date.now()).toBeGreaterThan(enqueuedAt + 1);
    const key = `${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:${id}`;
    lose = () => void redis.client.del(lost === 'job' ? key : `${key}:lock`);

    const taken = await jobs.leases.take(QUEUE, { count: 2, leaseMs: 30_000, holder: 'k' });

    expect(taken.map(({ job }) => job.id)).toEqual([good.id]);
  });
}

it('fails the attempt of a parent that is completed while a child of it still runs, as a worker does', async (t) => {
  const { jobs } = await setup(t, { leases });
  const child = { queue: QUEUE, name: 'child', onFailure: 'continue_parent' as const };
  const { id } = await jobs.flows.add({
    queue: QUEUE,
    name: 'parent',
    opts: { attempts: 2 },
    children: [child, child],
  });
  const [first, second] = [await takeOne(jobs), await takeOne(jobs)];
  await jobs.leases.fail(first.facts, { message: 'no', isRetryable: false });
  const parent = await takeOne(jobs);

  expect((await jobs.leases.complete(parent.facts, 'early')).state).toBe('waiting');
  expect(await jobs.get(QUEUE, id)).toMatchObject({
    state: 'waiting',
    error: { code: 'error', message: `Job ${id} has pending dependencies. moveToFinished` },
    attempts: { made: 1 },
  });

  await jobs.leases.complete(second.facts, 'part');
  const again = await takeOne(jobs);
  expect((await jobs.leases.complete(again.facts, 'whole')).state).toBe('completed');
});
