/** A worker for tests to kill: serves a queue under a prefix, both given as arguments, with a lock of half a second. */
import { setTimeout as sleep } from 'node:timers/promises';
import { keyspace } from '@sluice/config';
import { connect } from '@sluice/redis';
import { testRedisConfig } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { z } from 'zod';
import { Catalog } from '../src/catalog.ts';
import { defineJob } from '../src/define.ts';
import { JobWorker } from '../src/worker.ts';

const jobs = [
  defineJob({
    name: 'long',
    payload: z.unknown(),
    async run(_payload, { progress }) {
      await progress(process.pid);
      await sleep(60_000);
    },
  }),
  defineJob({ name: 'poison', payload: z.unknown(), run: () => process.exit(9) }),
];

const redis = testRedisConfig();
new JobWorker({
  queue: process.argv[3] as string,
  redis,
  keys: keyspace(process.argv[2] as string, { isCluster: false }),
  catalog: new Catalog(jobs.map((job) => ({ job, origin: 'test' }))),
  probe: connect({ config: redis, profile: 'request', name: 'mortal' }),
  log: createLog({ name: 'mortal', level: 'silent' }),
  timing: { lockMs: 500, stalledCheckMs: 100 },
  maxDeliveries: 2,
});
