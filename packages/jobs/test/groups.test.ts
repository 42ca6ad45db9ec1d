import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { Jobs, type NewJob } from '../src/index.ts';
import { queueKeys } from '../src/keys.ts';
import { lineUp } from '../src/scripts.ts';
import { serving } from './serving.ts';
import { type Bundle, setup } from './setup.ts';

const of = (group: string, count: number, more: NewJob['opts'] = {}): NewJob[] =>
  Array.from({ length: count }, () => ({ name: group, opts: { group, ...more } }));

/** Names of all jobs of the queue in the order a stock worker starts them. */
async function startedBy({ bullWorker }: Bundle, count: number): Promise<string[]> {
  const started: string[] = [];
  bullWorker('q', ({ name }) => void started.push(name));
  await expect.poll(() => started.length, { timeout: 20_000 }).toBe(count);
  return started;
}

it('lets small groups start within their share while a large one waits', async (t) => {
  const bundle = await setup(t);
  const small = Array.from({ length: 20 }, (_, n) => `small-${n}`);
  await bundle.jobs.enqueueMany('q', of('large', 1_000));
  for (const group of small) await bundle.jobs.enqueueMany('q', of(group, 10));

  const started = await startedBy(bundle, 1_200);

  // Ten rounds of twenty-one groups.
  const last = Math.max(...small.map((group) => started.lastIndexOf(group)));
  expect(last).toBeLessThan(210);
});

it('lets a group that comes later begin beside the head, not behind what waits', async (t) => {
  const bundle = await setup(t);
  await bundle.jobs.enqueueMany('q', of('a', 50));
  const taker = bundle.bullWorker('q', () => new Promise(() => undefined), { concurrency: 30 });
  await expect.poll(() => bundle.redis.client.zcard(queueKeys(bundle.redis.keys, 'q').prioritized)).toBe(20);
  await taker.close(true);

  await bundle.jobs.enqueueMany('q', of('b', 3));

  expect((await startedBy(bundle, 23)).slice(0, 7).sort()).toEqual(['a', 'a', 'a', 'a', 'b', 'b', 'b']);
});

it('keeps the order of one group', async (t) => {
  const bundle = await setup(t);
  const names = Array.from({ length: 40 }, (_, n) => String(n));
  for (const name of names) await bundle.jobs.enqueue('q', { name, opts: { group: 'a' } });

  expect(await startedBy(bundle, 40)).toEqual(names);
});

it('does not hold against a group the jobs it no longer waits for', async (t) => {
  const bundle = await setup(t);
  const dropped = await bundle.jobs.enqueueMany('q', of('a', 100));
  await bundle.jobs.enqueueMany('q', of('b', 20));
  for (const result of dropped) if (result.ok) await bundle.jobs.cancel('q', result.job.id);

  await bundle.jobs.enqueueMany('q', of('a', 1));

  expect((await startedBy(bundle, 21)).indexOf('a')).toBeLessThan(2);
});

it('remembers no group that does not wait', async (t) => {
  const bundle = await setup(t);
  const { turns, last_jobs } = queueKeys(bundle.redis.keys, 'q');
  await bundle.jobs.enqueueMany('q', of('a', 2));
  await startedBy(bundle, 2);

  await bundle.jobs.enqueueMany('q', of('b', 2));

  expect(await bundle.redis.client.zrange(turns, '0', '-1')).toEqual(['b']);
  expect(await bundle.redis.client.hkeys(last_jobs)).toEqual(['b']);
  expect(await bundle.redis.client.pttl(turns)).toBeGreaterThan(0);
  expect(await bundle.redis.client.pttl(last_jobs)).toBeGreaterThan(0);
});

it('leaves no trace of groups where no job has one', async (t) => {
  const { jobs, redis } = await setup(t);

  await jobs.enqueueMany('q', [{ name: 'a' }, { name: 'b', opts: { priority: 3 } }]);

  const { turns, last_jobs } = queueKeys(redis.keys, 'q');
  expect(await redis.client.exists(turns, last_jobs)).toBe(0);
});

it('puts what BullMQ placed in line, a stock producer of that priority as one group', async (t) => {
  const bundle = await setup(t);
  const keys = queueKeys(bundle.redis.keys, 'q');
  const queue = bundle.bullQueue('q');
  t.onTestFinished(() => queue.close());
  await bundle.jobs.enqueueMany('q', of('a', 3));
  for (let n = 0; n < 3; n += 1) await queue.add('stock', {}, { priority: 1_000 });
  for (let n = 0; n < 3; n += 1)
    await queue.add('b', {}, { priority: 1_000, sluice: { group: 'b' } } as never);

  expect(await lineUp.run(bundle.redis.client, { keys, args: { limit: 500 } })).toBe(6);
  expect(await lineUp.run(bundle.redis.client, { keys, args: { limit: 500 } })).toBe(0);

  const started = await startedBy(bundle, 9);
  for (const round of [0, 3, 6]) expect(started.slice(round, round + 3).sort()).toEqual(['a', 'b', 'stock']);
});

it('lets no group pass the others with jobs that became due together', async (t) => {
  const echo = (name: string) => defineJob({ name, payload: z.unknown(), run: () => undefined });
  const { redis, outcomes, work } = await serving(t, [echo('late'), echo('ready')], { concurrency: 1 });
  const jobs = new Jobs({ client: redis.client, subscriber: redis.connect('subscriber'), keys: redis.keys });
  t.onTestFinished(() => jobs.close());
  await jobs.enqueueMany('work', of('late', 1_000, { delay: 1 }));
  await jobs.enqueueMany('work', of('ready', 10));

  work();

  await expect
    .poll(() => outcomes.filter(({ facts }) => facts.name === 'ready').length, { timeout: 20_000 })
    .toBe(10);
  expect(outcomes.length).toBeLessThan(200);
});

it('tells the group of a job, and takes no priority beside it', async (t) => {
  const { jobs } = await setup(t);
  const { id, state } = await jobs.enqueue('q', { name: 'a', opts: { group: 'tenant 7' } });

  expect(state).toBe('prioritized');
  expect((await jobs.get('q', id)).options).toMatchObject({ group: 'tenant 7', priority: 0, lifo: false });
  for (const opts of [{ priority: 1 }, { lifo: true }]) {
    await expect(jobs.enqueue('q', { name: 'a', opts: { group: 'a', ...opts } })).rejects.toMatchObject({
      code: 'job_invalid',
    });
  }
  expect((await jobs.list('q', { state: 'prioritized' })).jobs.map((job) => job.id)).toEqual([id]);
});
