import { type RedisClient, untilReady } from '@sluice/redis';
import { type TestContext, testRedis } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { type JobsOptions, Queue } from 'bullmq';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { CANCELLED_REASON } from '../src/cancel.ts';
import { Catalog } from '../src/catalog.ts';
import { defineJob, type JobDefinition } from '../src/define.ts';
import { fatal, retryAfter } from '../src/failure.ts';
import { JobWorker, type JobWorkerOptions } from '../src/worker.ts';

const QUEUE = 'work';
const silent = createLog({ name: 'test', level: 'silent' });

/** A queue of its own on the run's Redis, and workers for it that stop with the test. */
async function setup(t: TestContext, jobs: JobDefinition[]) {
  const redis = await testRedis(t);
  const client = redis.connect('worker');
  const queue = new Queue(QUEUE, { connection: client, prefix: redis.keys.queuePrefix(QUEUE) });
  const workers: JobWorker[] = [];
  t.onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.stop(0)));
    await queue.close();
  });
  return {
    redis,
    queue,
    client: client as RedisClient,
    work(options: Partial<JobWorkerOptions> = {}) {
      const worker = new JobWorker({
        queue: QUEUE,
        redis: redis.config,
        keys: redis.keys,
        catalog: new Catalog(jobs.map((job) => ({ job, origin: 'test' }))),
        probe: redis.client,
        log: silent,
        ...options,
      });
      workers.push(worker);
      return worker;
    },
    async add(name: string, data: unknown, opts: JobsOptions = {}) {
      return (await queue.add(name, data, opts)).id as string;
    },
    async ended(id: string) {
      return await vi.waitFor(
        async () => {
          const job = await queue.getJob(id);
          if (!job?.finishedOn) throw new Error('not ended');
          return job;
        },
        { timeout: 10_000, interval: 20 },
      );
    },
  };
}

const double = defineJob({
  name: 'double',
  payload: z.object({ n: z.number() }),
  run: ({ n }) => ({ twice: n * 2 }),
});

describe('a job', () => {
  test('runs with its payload and keeps its result', async (t) => {
    const { add, work, ended } = await setup(t, [double]);
    work();

    const job = await ended(await add('double', { n: 21 }));

    expect(job.returnvalue).toEqual({ twice: 42 });
    expect(await job.getState()).toBe('completed');
  });
});
