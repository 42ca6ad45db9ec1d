/** This file owns what the tests of jobs share: a fresh prefix on the run's Redis with our jobs and stock BullMQ beside each other. */
import { type TestRedis, testRedis } from '@sluice/redis/testing';
import { Queue, type QueueOptions, Worker, type WorkerOptions } from 'bullmq';
import { Jobs, type JobsOptions } from '../src/jobs.ts';

export type TestContext = Parameters<typeof testRedis>[0];

export interface Bundle {
  redis: TestRedis;
  jobs: Jobs;
  /** A stock BullMQ queue on the same keys. */
  bullQueue(name: string, options?: Partial<QueueOptions>): Queue;
  /** A stock BullMQ worker on the same keys; closed with the test. */
  bullWorker(
    name: string,
    processor: (job: { id?: string; name: string; data: unknown }) => unknown,
    options?: Partial<WorkerOptions>,
  ): Worker;
}

export async function setup(t: TestContext, options: Partial<JobsOptions> = {}): Promise<Bundle> {
  const redis = await testRedis(t);
  const jobs = new Jobs({
    client: redis.client,
    subscriber: redis.connect('subscriber'),
    keys: redis.keys,
    ...options,
  });
  t.onTestFinished(() => jobs.close());
  return {
    redis,
    jobs,
    bullQueue(name, queueOptions) {
      const connection = redis.connect('worker');
      return new Queue(name, {
        connection,
        prefix: redis.keys.queuePrefix(name),
        skipMetasUpdate: true,
        ...queueOptions,
      });
    },
    bullWorker(name, processor, workerOptions) {
      const connection = redis.connect('worker');
      const worker = new Worker(name, async (job) => processor(job), {
        connection,
        prefix: redis.keys.queuePrefix(name),
        ...workerOptions,
      });
      worker.on('error', () => undefined);
      t.onTestFinished(() => worker.close(true));
      return worker;
    },
  };
}
