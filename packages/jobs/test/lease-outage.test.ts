import { keyspace } from '@sluice/config';
import { close, connect, redisFault, untilReady } from '@sluice/redis';
import { testCluster, testServer } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';

const QUEUE = 'work';
const wanted = { count: 1, leaseMs: 30_000, holder: 'k' };

it('a wait ends at once with nothing when Redis goes away, and a new one says so', {
  timeout: 20_000,
}, async (t) => {
  const server = await testServer(t, { settings: ['appendonly yes', 'appendfsync always'] });
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const jobs = new Jobs({
    client,
    subscriber: server.connect('subscriber'),
    keys: keyspace('t', { isCluster: false }),
    leases: { checkMs: 100 },
  });
  t.onTestFinished(() => jobs.close());
  const waiting = [1, 2, 3].map(() => jobs.leases.take(QUEUE, { ...wanted, waitMs: 30_000 }));
  // All of them have been told of an empty queue when their line begins to listen.
  await expect.poll(() => jobs.listenerCount).toBe(1);

  await server.stop();
  const askedAt = performance.now();
  expect(await Promise.all(waiting)).toEqual([[], [], []]);
  expect(performance.now() - askedAt).toBeLessThan(2_000);
  await expect(jobs.leases.take(QUEUE, { ...wanted, waitMs: 30_000 })).rejects.toSatisfy(
    (error) => redisFault(error)?.kind === 'unavailable',
  );

  await server.start();
  await untilReady(client, 5_000);
  const again = jobs.leases.take(QUEUE, { ...wanted, waitMs: 10_000 });
  const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
  expect((await again).map(({ job }) => job.id)).toEqual([id]);
});

it('every call stays in the slot of its queue', { timeout: 30_000 }, async (t) => {
  const { config } = await testCluster(t);
  const open = (profile: 'request' | 'subscriber') => {
    const client = connect({ config, profile, name: 'cluster-test' });
    t.onTestFinished(() => close(client));
    return client;
  };
  const client = open('request');
  await untilReady(client, 10_000);
  const jobs = new Jobs({
    client,
    subscriber: open('subscriber'),
    keys: keyspace('t', { isCluster: true }),
    leases: { checkMs: 100 },
  });
  t.onTestFinished(() => jobs.close());
  const queues = ['a', 'b', 'c', 'd'];
  const waiting = queues.map((queue) => jobs.leases.take(queue, { ...wanted, waitMs: 10_000 }));
  for (const queue of queues)
    await jobs.enqueueMany(queue, Array(4).fill({ name: 'n', opts: { attempts: 2 } }));

  const taken = (await Promise.all(waiting)).flat();
  expect(taken.map(({ job }) => job.queue)).toEqual(queues);
  const facts = taken.map(({ lease }) => jobs.leases.open(lease, 'k'));
  const [a, b, c, d] = facts as [(typeof facts)[0], (typeof facts)[0], (typeof facts)[0], (typeof facts)[0]];
  expect(await jobs.leases.heartbeat(a)).toMatchObject({ isCancelling: false });
  await jobs.leases.progress(a, 1);
  expect(await jobs.leases.log(a, ['x'])).toBe(1);
  const results = await jobs.leases.completeMany([{ lease: a }, { lease: b }]);
  expect(results.map(({ ok }) => ok)).toEqual([true, true]);
  expect((await jobs.leases.fail(c, { message: 'x', isRetryable: true })).state).toBe('waiting');
  expect((await jobs.leases.release(d, 60_000)).state).toBe('delayed');

  const [lost] = await jobs.leases.take('a', { ...wanted, leaseMs: 100 });
  await expect
    .poll(async () => (await jobs.get('a', lost?.job.id as string)).attempts.lost, { timeout: 5_000 })
    .toBe(1);
});
