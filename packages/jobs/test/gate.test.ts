import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { Gate } from '../src/gate.ts';
import { Jobs, type NewJob } from '../src/index.ts';
import { groupKeys, queueKeys } from '../src/keys.ts';
import type { QueueLimitsPatch } from '../src/schemas.ts';
import { gate as latch, QUEUE, serving } from './serving.ts';

type TestContext = Parameters<typeof serving>[0];

async function bounded(t: TestContext, group: QueueLimitsPatch['group'], run: () => Promise<void> | void) {
  const job = (name: string) => defineJob({ name, payload: z.unknown(), run });
  const bundle = await serving(t, [job('a'), job('b')], { concurrency: 20 });
  const { redis } = bundle;
  const jobs = new Jobs({ client: redis.client, subscriber: redis.connect('subscriber'), keys: redis.keys });
  t.onTestFinished(() => jobs.close());
  await jobs.setLimits(QUEUE, { group });
  const of = (name: string, count: number): NewJob[] =>
    Array.from({ length: count }, () => ({ name, opts: { group: name } }));
  return { ...bundle, jobs, of };
}

it('runs no more jobs of a group at a time than it may, and all of them in the end', async (t) => {
  let running = 0;
  let most = 0;
  const { jobs, of, outcomes, work } = await bounded(t, { concurrency: 2 }, async () => {
    running += 1;
    most = Math.max(most, running);
    await sleep(10);
    running -= 1;
  });
  await jobs.enqueueMany(QUEUE, of('a', 30));

  work();
  work();

  await expect.poll(() => outcomes.length, { timeout: 15_000 }).toBe(30);
  expect(most).toBe(2);
  expect(outcomes.every(({ facts, outcome }) => outcome.kind === 'completed' && facts.attempt === 1)).toBe(
    true,
  );
  expect(outcomes.every(({ facts }) => facts.isFirstStart)).toBe(true);
});

it('bounds each group by itself', async (t) => {
  const { opened, open } = latch();
  const { jobs, of, queue, work } = await bounded(t, { concurrency: 1 }, () => opened);
  await jobs.enqueueMany(QUEUE, of('a', 3));
  await jobs.enqueueMany(QUEUE, of('b', 3));

  work();

  await vi.waitFor(async () => expect(await queue.getDelayedCount()).toBe(4), { timeout: 10_000 });
  expect((await queue.getActive()).map(({ name }) => name).sort()).toEqual(['a', 'b']);
  open();
  await expect.poll(() => queue.getCompletedCount(), { timeout: 10_000 }).toBe(6);
});

it('begins no more jobs of a group in a time than it may', async (t) => {
  const { jobs, of, queue, outcomes, work } = await bounded(
    t,
    { rate: { max: 2, duration: 400 } },
    () => undefined,
  );
  await jobs.enqueueMany(QUEUE, of('a', 5));

  work();

  await expect.poll(() => outcomes.length, { timeout: 10_000 }).toBe(5);
  const begun = (await queue.getCompleted()).map(({ processedOn }) => processedOn ?? 0).sort((x, y) => x - y);
  const [first = 0, second = 0, , , last = 0] = begun;
  expect(second - first).toBeLessThan(190);
  // Two at once, then one every 200 ms.
  expect(last - first).toBeGreaterThan(550);
});

it('leaves a free way when the bound is taken away', async (t) => {
  const { opened, open } = latch();
  const { jobs, of, queue, redis, work } = await bounded(t, { concurrency: 1 }, () => opened);
  await jobs.enqueueMany(QUEUE, of('a', 251));
  work();
  await vi.waitFor(async () => expect(await queue.getDelayedCount()).toBe(250), { timeout: 10_000 });

  await jobs.setLimits(QUEUE, { group: null });
  open();

  await expect.poll(() => queue.getCompletedCount(), { timeout: 10_000 }).toBe(251);
  const { base } = queueKeys(redis.keys, QUEUE);
  expect(await redis.client.hmget(`${base}meta`, 'group.concurrency', 'group.max')).toEqual([null, null]);
});

it('tells the bounds of groups', async (t) => {
  const group = { concurrency: 3, rate: { max: 10, duration: 1_000 } };
  const { jobs } = await bounded(t, group, () => undefined);

  expect((await jobs.queue(QUEUE)).limits).toEqual({
    concurrency: null,
    rate: null,
    group: { concurrency: 3, rate: { max: 10, durationMs: 1_000 } },
  });

  await jobs.setLimits(QUEUE, { group: { concurrency: 1 } });
  expect((await jobs.queue(QUEUE)).limits.group).toEqual({ concurrency: 1, rate: null });
});

it('counts an attempt for as long as its worker lives, and little longer', async (t) => {
  const { redis } = await bounded(t, { concurrency: 1 }, () => undefined);
  const keys = queueKeys(redis.keys, QUEUE);
  const open = () => {
    const gate = new Gate({ client: redis.client, keys, promote: () => Promise.resolve(), holdMs: 1_500 });
    t.onTestFinished(() => gate.stop());
    return gate;
  };
  const [dying, other] = [open(), open()];
  const [first, second] = [entry('1'), entry('2')];
  expect(await dying.enter(first)).toEqual({ kind: 'admitted' });
  const held = async () => Number(await redis.client.zscore(groupKeys(keys, 'a').running, first.attempt));
  const until = await held();

  await expect.poll(held, { timeout: 10_000 }).toBeGreaterThan(until + 600);
  expect(await other.enter(second)).toMatchObject({ kind: 'parked' });

  // It says nothing any more.
  dying.stop();
  await expect.poll(() => other.enter(second), { timeout: 10_000 }).toEqual({ kind: 'admitted' });
});

function entry(jobId: string) {
  return { group: 'a', jobId, attempt: `token/${jobId}` };
}
