import { setTimeout as sleep } from 'node:timers/promises';
import { keyspace } from '@sluice/config';
import { testServer } from '@sluice/redis/testing';
import { Queue } from 'bullmq';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { Catalog } from '../src/catalog.ts';
import { defineJob } from '../src/define.ts';
import { JobWorker } from '../src/worker.ts';
import { ended, gate, QUEUE, silent } from './serving.ts';

const RECOVERY_MS = 3_000;

test.for([1, 7, 15])(
  'consumes again within 3 s of the end of an outage of %i s, and fails no job for it',
  { timeout: 60_000, concurrent: true },
  async (seconds, t) => {
    const server = await testServer(t, { settings: ['save ""', 'appendonly yes', 'appendfsync always'] });
    const keys = keyspace('outage', { isCluster: false });
    const started = gate();
    const release = gate();
    const runs = vi.fn();
    const jobs = [
      defineJob({ name: 'quick', payload: z.unknown(), run: () => 'done' }),
      defineJob({
        name: 'long',
        payload: z.unknown(),
        async run() {
          runs();
          started.open();
          await release.opened;
          return 'finished';
        },
      }),
    ];
    const worker = new JobWorker({
      queue: QUEUE,
      redis: server.config,
      keys,
      catalog: new Catalog(jobs.map((job) => ({ job, origin: 'test' }))),
      probe: server.connect('request'),
      log: silent,
      concurrency: 2,
    });
    t.onTestFinished(() => worker.stop(0));
    const queue = new Queue(QUEUE, { connection: server.connect('worker'), prefix: keys.queuePrefix(QUEUE) });
    queue.on('error', () => undefined);
    t.onTestFinished(() => queue.close());
    const longId = (await queue.add('long', {})).id as string;
    await started.opened;

    await server.stop();
    await sleep(seconds * 1_000);
    // Its result is written while nobody answers, and must arrive all the same.
    release.open();
    await server.start();
    const backAt = performance.now();
    const quickId = (await queue.add('quick', {})).id as string;
    const quick = await ended(queue, quickId, RECOVERY_MS);

    expect(quick.returnvalue).toBe('done');
    expect(performance.now() - backAt).toBeLessThan(RECOVERY_MS);
    expect((await ended(queue, longId, RECOVERY_MS)).returnvalue).toBe('finished');
    expect(runs).toHaveBeenCalledOnce();
    expect(await queue.getJobCountByTypes('failed')).toBe(0);
    expect(worker.health()).toMatchObject({ isHealthy: true, rebuilds: 0 });
  },
);
