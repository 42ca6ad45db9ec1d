import type { StandaloneConfig } from '@sluice/config';
import { testRedisConfig } from '@sluice/redis/testing';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { Watchdog } from '../src/watchdog.ts';
import type { JobWorker } from '../src/worker.ts';
import { redisProxy } from './redis-proxy.ts';
import { gate, serving } from './serving.ts';

const timing = { drainDelayMs: 200 };
const quick = defineJob({ name: 'quick', payload: z.unknown(), run: () => 'done' });

/** A worker that is well asks for a job every drain delay. */
async function untilSilent(worker: JobWorker): Promise<void> {
  await vi.waitFor(
    () => expect(worker.health().lastFetchAgeMs).toBeGreaterThan(3 * timing.drainDelayMs),
    10_000,
  );
}

test('rebuilds a worker whose waiting connection has fallen silent, without touching what it runs', {
  timeout: 30_000,
}, async (t) => {
  const proxy = await redisProxy(t, testRedisConfig() as StandaloneConfig);
  const release = gate();
  const runs = vi.fn();
  const long = defineJob({
    name: 'long',
    payload: z.unknown(),
    async run() {
      runs();
      await release.opened;
      return 'finished';
    },
  });
  const { add, work, ended } = await serving(t, [quick, long], { redis: proxy.config, timing });
  const worker = work({ concurrency: 2 });
  const longId = await add('long');
  await vi.waitFor(() => expect(runs).toHaveBeenCalled());

  proxy.silenceNext(1);
  proxy.silence('bzpopmin');
  await untilSilent(worker);
  const quickId = await add('quick');

  expect((await ended(quickId, 20_000)).returnvalue).toBe('done');
  expect(worker.health().isHealthy).toBe(true);
  expect(worker.health().rebuilds).toBeGreaterThan(0);
  release.open();
  expect((await ended(longId)).returnvalue).toBe('finished');
  expect(runs).toHaveBeenCalledOnce();
});

test('tells that it is unhealthy when two rebuilds did not help, and healthy once it takes jobs again', {
  timeout: 30_000,
}, async (t) => {
  const proxy = await redisProxy(t, testRedisConfig() as StandaloneConfig);
  const { add, work, ended } = await serving(t, [quick], { redis: proxy.config, timing });
  const worker = work();
  await ended(await add('quick'));
  expect(worker.health()).toMatchObject({ isHealthy: true, rebuilds: 0 });

  proxy.silenceNext(Number.POSITIVE_INFINITY);
  proxy.silence('bzpopmin');
  await untilSilent(worker);
  const id = await add('quick');
  await vi.waitFor(() => expect(worker.health().isHealthy).toBe(false), { timeout: 20_000, interval: 50 });

  expect(worker.health().rebuilds).toBeGreaterThan(2);
  expect(worker.health().silentMs).toBeGreaterThanOrEqual(0);
  proxy.silenceNext(0);
  await ended(id, 20_000);
  expect(worker.health()).toMatchObject({ isHealthy: true, isReachable: true });
});

test.for([
  { name: 'there is no work', hasWork: async () => false, hasCapacity: true, lastFetchAgeMs: 1_000 },
  { name: 'all slots are busy', hasWork: async () => true, hasCapacity: false, lastFetchAgeMs: 1_000 },
  { name: 'jobs are asked for', hasWork: async () => true, hasCapacity: true, lastFetchAgeMs: 1 },
  {
    name: 'Redis is away',
    hasWork: () => Promise.reject(new Error('away')),
    hasCapacity: true,
    lastFetchAgeMs: 1_000,
  },
])('does not take silence for a fault while $name', async ({ hasWork, hasCapacity, lastFetchAgeMs }, t) => {
  const onStuck = vi.fn();
  const checked = vi.fn(hasWork);
  const watchdog = new Watchdog({
    checkMs: 5,
    limitMs: 20,
    hasWork: checked,
    hasCapacity: () => hasCapacity,
    lastFetchAgeMs: () => lastFetchAgeMs,
    onStuck,
  });
  t.onTestFinished(() => watchdog.stop());

  await vi.waitFor(() => expect(checked.mock.calls.length).toBeGreaterThan(20));

  expect(onStuck).not.toHaveBeenCalled();
});
