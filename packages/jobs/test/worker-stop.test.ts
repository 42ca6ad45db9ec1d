import { setTimeout as sleep } from 'node:timers/promises';
import type { StandaloneConfig } from '@sluice/config';
import { testRedisConfig, testServer } from '@sluice/redis/testing';
import { Queue } from 'bullmq';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { redisProxy } from './redis-proxy.ts';
import { gate, QUEUE, serving } from './serving.ts';

const anything = z.unknown();

test('lets a running job finish, and takes no other, when it stops', async (t) => {
  const started = gate();
  const slow = defineJob({
    name: 'slow',
    payload: anything,
    async run() {
      started.open();
      await sleep(300);
      return 'finished';
    },
  });
  const { queue, add, work, ended } = await serving(t, [slow]);
  const worker = work({ concurrency: 1 });
  const first = await add('slow');
  const second = await add('slow');
  await started.opened;

  await worker.stop(5_000);

  expect((await ended(first)).returnvalue).toBe('finished');
  expect(await (await queue.getJob(second))?.getState()).toBe('waiting');
});

test('returns a job that outlasts the deadline to the head of the queue, uncounted', async (t) => {
  const started = gate();
  const attempts: number[] = [];
  const heeding = defineJob({
    name: 'heeding',
    payload: anything,
    async run(_payload, { signal, attempt }) {
      attempts.push(attempt);
      started.open();
      await sleep(60_000, undefined, { signal });
    },
  });
  const { queue, add, work, outcomes } = await serving(t, [heeding]);
  const worker = work({ concurrency: 1 });
  const id = await add('heeding', {}, { attempts: 1 });
  await started.opened;
  const other = await add('heeding');

  const stoppedAt = performance.now();
  await worker.stop(100);

  expect(performance.now() - stoppedAt).toBeLessThan(1_500);
  expect((await queue.getWaiting()).map((job) => job.id)).toEqual([id, other]);
  const job = await queue.getJob(id);
  expect(job).toMatchObject({ attemptsMade: 0, stalledCounter: 0 });
  expect(job?.failedReason).toBeUndefined();
  expect(outcomes.map(({ outcome }) => outcome)).toEqual([{ kind: 'return' }]);
});

test('returns a job whose processor heeds nothing, within its grace', async (t) => {
  const started = gate();
  const deaf = defineJob({
    name: 'deaf',
    payload: anything,
    abortGraceMs: 200,
    async run() {
      started.open();
      await sleep(20_000, undefined, { ref: false });
    },
  });
  const { queue, add, work } = await serving(t, [deaf]);
  const worker = work();
  const id = await add('deaf');
  await started.opened;

  await worker.stop(0);

  expect(await (await queue.getJob(id))?.getState()).toBe('waiting');
});

test('keeps a result that comes within the grace of a stop', async (t) => {
  const started = gate();
  const tidy = defineJob({
    name: 'tidy',
    payload: anything,
    async run(_payload, { signal }) {
      started.open();
      await sleep(60_000, undefined, { signal }).catch(() => undefined);
      return 'saved what there was';
    },
  });
  const { add, work, ended } = await serving(t, [tidy]);
  const worker = work();
  const id = await add('tidy');
  await started.opened;

  await worker.stop(0);

  expect((await ended(id)).returnvalue).toBe('saved what there was');
});

test('hands a returned job to the next worker as the same attempt', async (t) => {
  const started = gate();
  const attempts: number[] = [];
  const handed = defineJob({
    name: 'handed',
    payload: anything,
    async run(_payload, { signal, attempt }) {
      attempts.push(attempt);
      if (attempts.length > 1) return;
      started.open();
      await sleep(60_000, undefined, { signal });
    },
  });
  const { add, work, ended } = await serving(t, [handed]);
  const first = work();
  const id = await add('handed', {}, { attempts: 1 });
  await started.opened;
  await first.stop(0);

  work();

  expect((await ended(id)).attemptsMade).toBe(1);
  expect(attempts).toEqual([1, 1]);
});

test('stops at once when it runs nothing and Redis is away', async (t) => {
  const server = await testServer(t);
  const { work } = await serving(t, [], { redis: server.config });
  const worker = work();
  await vi.waitFor(() => expect(worker.health().lastFetchAgeMs).toBeLessThan(100));
  await server.stop();

  const stoppedAt = performance.now();
  await worker.stop(25_000);

  expect(performance.now() - stoppedAt).toBeLessThan(4_000);
});

test('gives up a job whose outcome cannot be written, once the deadline has passed', async (t) => {
  const server = await testServer(t);
  const started = gate();
  const release = gate();
  const stuck = defineJob({
    name: 'stuck',
    payload: anything,
    async run() {
      started.open();
      await release.opened;
    },
  });
  const { redis, work } = await serving(t, [stuck], { redis: server.config });
  const queue = new Queue(QUEUE, {
    connection: server.connect('worker'),
    prefix: redis.keys.queuePrefix(QUEUE),
  });
  queue.on('error', () => undefined);
  const worker = work();
  await queue.add('stuck', {});
  await started.opened;
  await server.stop();
  release.open();

  const stoppedAt = performance.now();
  await worker.stop(200);

  expect(performance.now() - stoppedAt).toBeLessThan(4_500);
});

test('returns a job that it had asked for before it was stopped and got after its deadline', async (t) => {
  const proxy = await redisProxy(t, testRedisConfig() as StandaloneConfig);
  const ran = vi.fn();
  const { queue, add, work } = await serving(t, [defineJob({ name: 'late', payload: anything, run: ran })], {
    redis: proxy.config,
  });
  const worker = work();
  await vi.waitFor(() => expect(worker.health().lastFetchAgeMs).toBeLessThan(100));
  proxy.slowDown(400);
  const id = await add('late');
  await vi.waitFor(async () => expect(await (await queue.getJob(id))?.getState()).toBe('active'), 5_000);

  await worker.stop(0);

  expect(await (await queue.getJob(id))?.getState()).toBe('waiting');
  expect(ran).not.toHaveBeenCalled();
});
