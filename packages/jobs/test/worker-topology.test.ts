import { keyspace, type RedisConfig } from '@sluice/config';
import { connect, type RedisClient } from '@sluice/redis';
import { type TestContext, testCluster, testSentinel } from '@sluice/redis/testing';
import { Queue } from 'bullmq';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { CANCELLED_REASON, DEFERRED_FAILURE_FIELD } from '../src/cancel.ts';
import { Catalog } from '../src/catalog.ts';
import { defineJob } from '../src/define.ts';
import { readFailure } from '../src/failure.ts';
import { JobWorker } from '../src/worker.ts';
import { abortOf, ended, silent } from './serving.ts';

const jobs = [
  defineJob({ name: 'quick', payload: z.unknown(), run: () => 'done' }),
  defineJob({ name: 'endless', payload: z.unknown(), run: (_payload, { signal }) => abortOf(signal) }),
];

function setup(t: TestContext, redis: RedisConfig) {
  const keys = keyspace('topology', { isCluster: redis.kind === 'cluster' });
  const open = (profile: 'worker' | 'request'): RedisClient => {
    const client = connect({ config: redis, profile, name: 'test' });
    t.onTestFinished(() => client.disconnect());
    return client;
  };
  const client = open('worker');
  const probe = open('request');
  return {
    client,
    serve(queue: string): Queue {
      const worker = new JobWorker({
        queue,
        redis,
        keys,
        probe,
        log: silent,
        catalog: new Catalog(jobs.map((job) => ({ job, origin: 'test' }))),
      });
      t.onTestFinished(() => worker.stop(0));
      const producer = new Queue(queue, { connection: client, prefix: keys.queuePrefix(queue) });
      producer.on('error', () => undefined);
      t.onTestFinished(() => producer.close());
      return producer;
    },
  };
}

test('serves queues on every master of a Cluster, and hears of a cancel there', {
  timeout: 60_000,
}, async (t) => {
  const { config } = await testCluster(t);
  const { client, serve } = setup(t, config);
  const queues = ['alpha', 'beta', 'gamma', 'delta', 'epsilon'].map(serve);

  const results = await Promise.all(
    queues.map(
      async (queue) => (await ended(queue, (await queue.add('quick', {})).id as string, 15_000)).returnvalue,
    ),
  );
  const [queue] = queues as [Queue];
  const id = (await queue.add('endless', {})).id as string;
  await vi.waitFor(async () => expect(await (await queue.getJob(id))?.getState()).toBe('active'), 5_000);
  await client.hset(queue.toKey(id), DEFERRED_FAILURE_FIELD, CANCELLED_REASON);

  expect(results).toEqual(Array(5).fill('done'));
  expect(readFailure((await ended(queue, id, 5_000)).failedReason).code).toBe('cancelled');
});

test('consumes again when a Sentinel has promoted the replica', { timeout: 60_000 }, async (t) => {
  const { config, master } = await testSentinel(t);
  const queue = setup(t, config).serve('work');
  await ended(queue, (await queue.add('quick', {})).id as string, 10_000);

  await master.kill();
  const id = (await queue.add('quick', {})).id as string;

  expect((await ended(queue, id, 30_000)).returnvalue).toBe('done');
});
