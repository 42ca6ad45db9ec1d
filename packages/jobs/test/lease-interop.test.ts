import { scanKeys, untilReady } from '@sluice/redis';
import { FlowProducer } from 'bullmq';
import { describe, expect, it, vi } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import { type Bundle, setup, type TestContext } from './setup.ts';

const QUEUE = 'work';
const leases = { secret: Buffer.alloc(32, 7), checkMs: 100 };

/** A second process on the same Redis. */
async function replica(t: TestContext, { redis }: Bundle): Promise<Jobs> {
  const client = redis.connect('request');
  await untilReady(client, 5_000);
  const jobs = new Jobs({
    client,
    subscriber: redis.connect('subscriber'),
    keys: redis.keys,
    leases,
  });
  t.onTestFinished(() => jobs.close());
  return jobs;
}

const take = (jobs: Jobs, options: { count?: number; leaseMs?: number; waitMs?: number } = {}) =>
  jobs.leases.take(QUEUE, { count: 1, leaseMs: 30_000, holder: 'k', ...options });

async function takeOne(jobs: Jobs, options: Parameters<typeof take>[1] = {}) {
  const [taken] = await take(jobs, options);
  if (!taken) throw new Error('there was no job to take');
  return { ...taken, facts: jobs.leases.open(taken.lease, 'k') };
}

describe('beside a stock BullMQ worker', () => {
  it('runs every job once, on two processes and the worker together', { timeout: 30_000 }, async (t) => {
    const bundle = await setup(t, { leases });
    const { jobs, bullWorker } = bundle;
    const second = await replica(t, bundle);
    const total = 900;
    const runs = new Map<string, number>();
    const ran = (id: string) => runs.set(id, (runs.get(id) ?? 0) + 1);
    const puller = async (each: Jobs) => {
      let pulled = 0;
      while (runs.size < total) {
        const taken = await take(each, { count: 20, waitMs: 200 });
        for (const { job } of taken) ran(job.id);
        pulled += taken.length;
        await each.leases.completeMany(
          taken.map(({ lease }) => ({ lease: each.leases.open(lease, 'k'), result: 'pulled' })),
        );
      }
      return pulled;
    };

    let worked = 0;
    bullWorker(
      QUEUE,
      async ({ id }) => {
        ran(id as string);
        worked += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return 'worked';
      },
      { concurrency: 5 },
    );
    const pulling = Promise.all([puller(jobs), puller(second)]);
    for (let from = 0; from < total; from += 300)
      await jobs.enqueueMany(
        QUEUE,
        Array.from({ length: 300 }, (_, index) => ({ name: `${from + index}` })),
      );
    const pulled = await pulling;

    expect([...runs.values()].every((count) => count === 1)).toBe(true);
    expect(runs.size).toBe(total);
    expect(Math.min(worked, ...pulled)).toBeGreaterThan(0);
    await expect
      .poll(async () => (await jobs.queue(QUEUE)).counts)
      .toMatchObject({ completed: total, active: 0, waiting: 0, failed: 0 });
  });

  it('keeps a leased job from it while the lease lives, and gives it the job when the lease is lost', async (t) => {
    const { jobs, bullWorker, redis } = await setup(t, { leases: { ...leases, checkMs: 60_000 } });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    const { facts } = await takeOne(jobs, { leaseMs: 700 });
    const ran: unknown[] = [];

    bullWorker(QUEUE, (job) => ran.push(job.id), { stalledInterval: 50, maxStalledCount: 5 });
    const lock = `${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:${id}:lock`;
    await expect
      .poll(() => redis.client.sismember(`${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:stalled`, id))
      .toBe(1);
    expect(await redis.client.exists(lock)).toBe(1);
    expect(ran).toEqual([]);

    await vi.waitFor(() => expect(ran).toEqual([id]), 5_000);
    await expect(jobs.leases.complete(facts, 1)).rejects.toMatchObject({ code: 'lease_lost' });
  });

  it('finds lost leases though a stock worker with a long interval has the only look', async (t) => {
    const { jobs, redis } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    await redis.client.set(`${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:stalled-check`, '1', 'PX', 60_000);
    await takeOne(jobs, { leaseMs: 150 });

    const again = await takeOne(jobs, { waitMs: 3_000 });

    expect(again.job.id).toBe(id);
  });

  it('hands out what a dead worker left, though only leases are taken here', async (t) => {
    const { jobs, redis, bullQueue } = await setup(t, { leases });
    await bullQueue(QUEUE).add('n', {});
    await take(jobs);
    const base = `${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:`;
    const [id] = await redis.client.lrange(`${base}active`, 0, 0);
    // As a worker leaves it that was killed: active, its lock gone, unknown to any lease.
    await redis.client.del(`${base}${id}:lock`, `${base}sluice:leases`);

    const [again] = await take(jobs, { waitMs: 5_000 });

    expect(again?.job.id).toBe(id);
  });

  it('lets a parent go on when its leased children are completed, and fails it when one of them fails', async (t) => {
    const { jobs } = await setup(t, { leases });
    const child = { queue: QUEUE, name: 'child' };
    const good = await jobs.flows.add({ queue: QUEUE, name: 'parent', children: [child, child] });
    for (const { lease } of await take(jobs, { count: 2 }))
      await jobs.leases.complete(jobs.leases.open(lease, 'k'), 'part');

    const parent = await takeOne(jobs);
    expect([parent.job.id, parent.job.name]).toEqual([good.id, 'parent']);
    expect((await jobs.leases.complete(parent.facts, 'whole')).state).toBe('completed');
    expect((await jobs.leases.complete(parent.facts, 'whole')).state).toBe('completed');

    const bad = await jobs.flows.add({ queue: QUEUE, name: 'parent', children: [child] });
    const { facts, job } = await takeOne(jobs);
    expect(job.parent).toEqual({ queue: QUEUE, id: bad.id });
    await jobs.leases.fail(facts, { message: 'no', isRetryable: false });
    expect(await take(jobs)).toEqual([]);
    expect(await jobs.get(QUEUE, bad.id)).toMatchObject({ state: 'failed' });
  });

  it('moves on a parent that a stock flow made, and is moved on by a stock worker', async (t) => {
    const { jobs, redis, bullWorker } = await setup(t, { leases });
    const flows = new FlowProducer({
      connection: redis.connect('worker'),
      prefix: redis.keys.queuePrefix(QUEUE),
    });
    t.onTestFinished(() => flows.close());
    const { job: parent } = await flows.add({
      name: 'parent',
      queueName: 'other',
      children: [{ name: 'child', queueName: QUEUE, data: {} }],
    });
    const done: unknown[] = [];
    bullWorker('other', ({ name }) => done.push(name));

    const { facts } = await takeOne(jobs);
    await jobs.leases.complete(facts, { part: 1 });

    await vi.waitFor(() => expect(done).toEqual(['parent']), 5_000);
    const stored = redis.client.hvals(`${redis.keys.queuePrefix('other')}:other:${parent.id}:processed`);
    expect(await stored).toEqual(['{"part":1}']);
  });
});

describe('schedulers', () => {
  it('get their next job when one of theirs is leased, once however often it is', async (t) => {
    const { jobs } = await setup(t, { leases });
    await jobs.schedulers.upsert(QUEUE, 's', { every: 60_000 }, { name: 'tick', data: { n: 1 } });

    const first = await takeOne(jobs, { leaseMs: 200 });
    expect(first.job).toMatchObject({ name: 'tick', scheduler: 's' });
    expect((await jobs.queue(QUEUE)).counts).toMatchObject({ active: 1, delayed: 1 });
    const again = await takeOne(jobs, { waitMs: 5_000 });

    expect(again.job.id).toBe(first.job.id);
    expect((await jobs.queue(QUEUE)).counts).toMatchObject({ active: 1, delayed: 1 });
    expect(await jobs.schedulers.get(QUEUE, 's')).toMatchObject({ made: 2 });
    const { jobs: delayed } = await jobs.list(QUEUE, { state: 'delayed' });
    expect(delayed).toMatchObject([{ name: 'tick', data: { text: '{"n":1}' }, scheduler: 's' }]);
  });

  it('keep their rhythm while their jobs are leased and completed', async (t) => {
    const { jobs } = await setup(t, { leases });
    await jobs.schedulers.upsert(QUEUE, 's', { every: 1_000 }, { name: 'tick' });
    const times: number[] = [];

    for (let n = 0; n < 3; n += 1) {
      const { facts } = await takeOne(jobs, { waitMs: 5_000 });
      times.push(Date.now());
      await jobs.leases.complete(facts);
    }

    const gaps = times.slice(1).map((time, index) => time - (times[index] as number));
    for (const gap of gaps) expect(gap).toBeLessThan(1_500);
  });
});

describe('what becomes of leased jobs', () => {
  it('is kept as long as they ask for it', async (t) => {
    const { jobs } = await setup(t, { leases });
    const retain = (count: number) => ({ name: 'n', opts: { retain: { count } } });
    await jobs.enqueueMany(QUEUE, [...Array(5).fill(retain(2)), retain(0)]);
    const taken = await take(jobs, { count: 10 });
    const items = taken.map(({ lease }) => ({ lease: jobs.leases.open(lease, 'k'), result: 1 }));

    for (const result of await jobs.leases.completeMany(items)) expect(result.ok).toBe(true);

    expect((await jobs.queue(QUEUE)).counts).toMatchObject({ completed: 2, active: 0 });
    const last = items.at(-1)?.lease as (typeof items)[0]['lease'];
    await expect(jobs.leases.complete(last, 1)).rejects.toMatchObject({ code: 'lease_lost' });
  });

  it('counts in the rates of the queue', async (t) => {
    const { jobs, redis } = await setup(t, { leases });
    await jobs.enqueueMany(QUEUE, Array(4).fill({ name: 'n' }));
    const taken = await take(jobs, { count: 4 });
    const [first, ...others] = taken.map(({ lease }) => jobs.leases.open(lease, 'k'));
    await jobs.leases.fail(first as (typeof others)[0], { message: 'x', isRetryable: false });
    await jobs.leases.completeMany(others.map((lease) => ({ lease })));

    const metrics = `${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:metrics`;
    expect(await redis.client.hget(`${metrics}:completed`, 'count')).toBe('3');
    expect(await redis.client.hget(`${metrics}:failed`, 'count')).toBe('1');
  });

  it('lets the last of those that were deduplicated meanwhile run after it', async (t) => {
    const { jobs } = await setup(t, { leases });
    const once = { deduplication: { id: 'd', mode: 'keep_last' as const } };
    await jobs.enqueue(QUEUE, { name: 'one', opts: once });
    const { facts } = await takeOne(jobs);
    await jobs.enqueue(QUEUE, { name: 'two', opts: once });
    await jobs.enqueue(QUEUE, { name: 'three', opts: once });

    expect((await jobs.leases.complete(facts)).state).toBe('completed');

    expect((await take(jobs, { count: 5 })).map(({ job }) => job.name)).toEqual(['three']);
  });

  it('keeps a leased job from being removed, and changes nothing when its queue is gone', async (t) => {
    const { jobs, redis } = await setup(t, { leases });
    const { id } = await jobs.enqueue(QUEUE, { name: 'n' });
    const { facts } = await takeOne(jobs);
    await expect(jobs.remove(QUEUE, id)).rejects.toMatchObject({ code: 'job_locked' });

    await jobs.obliterate(QUEUE, { force: true });

    for (const call of [
      () => jobs.leases.heartbeat(facts),
      () => jobs.leases.complete(facts, 1),
      () => jobs.leases.fail(facts, { message: 'x', isRetryable: true }),
      () => jobs.leases.progress(facts, 1),
      () => jobs.leases.log(facts, ['x']),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await redis.client.exists(`${redis.keys.queuePrefix(QUEUE)}:${QUEUE}:${id}`)).toBe(0);
  });
});

describe('the process that took a lease', () => {
  it('may die: another one that only looks hands the job out again', async (t) => {
    const bundle = await setup(t, { leases: { ...leases, checkMs: 60_000 } });
    const { id } = await bundle.jobs.enqueue(QUEUE, { name: 'n' });
    await takeOne(bundle.jobs, { leaseMs: 200 });
    await bundle.jobs.close();

    const other = await replica(t, bundle);
    other.leases.start();

    await expect.poll(async () => (await other.get(QUEUE, id)).state, { timeout: 5_000 }).toBe('waiting');
    expect((await other.get(QUEUE, id)).attempts).toMatchObject({ lost: 1 });
  });

  it('leaves nothing behind of a queue that was only asked for', async (t) => {
    const { jobs, redis } = await setup(t, { leases: { ...leases, checkMs: 30 } });
    const registry = `${redis.keys.root('jobs')}:leased`;
    expect(await take(jobs, { waitMs: 200 })).toEqual([]);
    expect(await redis.client.zcard(registry)).toBe(1);

    // As if it had been asked for long ago.
    await redis.client.zadd(registry, Date.now() - 3_600_000, QUEUE);

    await expect.poll(() => redis.client.zcard(registry)).toBe(0);
    const left: string[] = [];
    for await (const page of scanKeys(redis.client, `${redis.keys.queuePrefix(QUEUE)}:`)) left.push(...page);
    expect(left).toEqual([]);
  });

  it('gives back what came for a client that has gone, as if it had not been taken', async (t) => {
    const { jobs } = await setup(t, { leases });
    await jobs.enqueueMany(QUEUE, [{ name: 'a' }, { name: 'b', opts: { priority: 1 } }, { name: 'c' }]);
    const gone = new AbortController();
    const options = { count: 5, leaseMs: 30_000, holder: 'k', waitMs: 10_000, signal: gone.signal };

    const taking = jobs.leases.take(QUEUE, options);
    gone.abort();
    expect(await taking).toEqual([]);

    await expect.poll(async () => (await jobs.queue(QUEUE)).counts.active).toBe(0);
    const again = await take(jobs, { count: 5 });
    expect(again.map(({ job }) => job.name)).toEqual(['a', 'c', 'b']);
    for (const { job } of again)
      expect((await jobs.get(QUEUE, job.id)).attempts).toMatchObject({ started: 1, lost: 0 });
  });

  it('ends waits with nothing when it stops', async (t) => {
    const { jobs } = await setup(t, { leases });
    const waiting = take(jobs, { waitMs: 30_000 });
    await expect.poll(() => jobs.leases.waiting).toBe(1);

    jobs.leases.endWaits();

    expect(await waiting).toEqual([]);
    expect(await take(jobs, { waitMs: 30_000 })).toEqual([]);
  });
});
