/** This file owns what tests of the worker side share: a queue of its own on a real Redis, and workers that stop with the test. */
import { type TestContext, testRedis } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { type Job, type JobsOptions, Queue } from 'bullmq';
import { vi } from 'vitest';
import { z } from 'zod';
import type { AttemptFacts, Outcome } from '../src/attempt.ts';
import { Catalog } from '../src/catalog.ts';
import { defineJob, type JobDefinition } from '../src/define.ts';
import { JobWorker, type JobWorkerOptions } from '../src/worker.ts';

export const QUEUE = 'work';
export const double: JobDefinition = defineJob({
  name: 'double',
  payload: z.object({ n: z.number() }),
  run: ({ n }) => ({ twice: n * 2 }),
});
export const silent = createLog({ name: 'test', level: 'silent' });

/** `settings` go for every worker that `work` starts. */
export async function serving(
  t: TestContext,
  jobs: readonly JobDefinition[],
  settings: Partial<JobWorkerOptions> = {},
) {
  const redis = await testRedis(t);
  const queue = new Queue(QUEUE, {
    connection: redis.connect('worker'),
    prefix: redis.keys.queuePrefix(QUEUE),
  });
  queue.on('error', () => undefined);
  const workers: JobWorker[] = [];
  const outcomes: { facts: AttemptFacts; outcome: Outcome }[] = [];
  t.onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.stop(0)));
    await queue.close();
  });
  return {
    redis,
    queue,
    /** What came of each attempt of every worker, in order. */
    outcomes,
    work(options: Partial<JobWorkerOptions> = {}): JobWorker {
      const worker = new JobWorker({
        queue: QUEUE,
        redis: redis.config,
        keys: redis.keys,
        catalog: new Catalog(jobs.map((job) => ({ job, origin: 'test' }))),
        probe: redis.client,
        log: silent,
        middleware: [{ after: (facts, outcome) => void outcomes.push({ facts, outcome }) }],
        ...settings,
        ...options,
      });
      workers.push(worker);
      return worker;
    },
    async add(name: string, data: unknown = {}, opts: JobsOptions = {}): Promise<string> {
      return (await queue.add(name, data, opts)).id as string;
    },
    ended: (id: string, timeoutMs = 10_000) => ended(queue, id, timeoutMs),
  };
}

/** The job once it has completed or failed for good. */
export function ended(queue: Queue, id: string, timeoutMs: number): Promise<Job> {
  return vi.waitFor(
    async () => {
      const job = await queue.getJob(id);
      if (!job?.finishedOn) throw new Error(`job ${id} has not ended`);
      return job;
    },
    { timeout: timeoutMs, interval: 10 },
  );
}

/** Something a test waits for, or lets others wait for. */
export function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Resolves when `signal` aborts, with the code of its reason. */
export function abortOf(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve((signal.reason as { code: string }).code), { once: true });
  });
}
