import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestContext } from '@sluice/redis/testing';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { readFailure } from '../src/failure.ts';
import { QUEUE, serving } from './serving.ts';

const MORTAL_WORKER = fileURLToPath(new URL('./mortal-worker.ts', import.meta.url));

function mortalWorker(t: TestContext, prefix: string): ChildProcess {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=@sluice/source', MORTAL_WORKER, prefix, QUEUE],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  t.onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('hands a job of a killed worker to another one, as the same attempt', {
  timeout: 30_000,
  concurrent: true,
}, async (t) => {
  const attempts: number[] = [];
  const long = defineJob({
    name: 'long',
    payload: z.unknown(),
    run: (_payload, { attempt }) => {
      attempts.push(attempt);
      return 'done by another';
    },
  });
  const { redis, queue, add, work, ended } = await serving(t, [long], {
    timing: { lockMs: 500, stalledCheckMs: 100 },
  });
  const mortal = mortalWorker(t, redis.prefix);
  const id = await add('long', {}, { attempts: 1 });
  await vi.waitFor(async () => expect((await queue.getJob(id))?.progress).toBe(mortal.pid), {
    timeout: 10_000,
  });

  mortal.kill('SIGKILL');
  await once(mortal, 'exit');
  const killedAt = performance.now();
  work();
  const job = await ended(id);

  expect(job).toMatchObject({ returnvalue: 'done by another', attemptsMade: 1, stalledCounter: 1 });
  expect(attempts).toEqual([1]);
  expect(performance.now() - killedAt).toBeLessThan(2_000);
});

test('ends a job that takes its worker down each time, with a reason', {
  timeout: 30_000,
  concurrent: true,
}, async (t) => {
  const { redis, queue, add, ended } = await serving(t, []);
  const id = await add('poison', {}, { attempts: 100 });
  let deaths = 0;
  const respawn = () => {
    mortalWorker(t, redis.prefix).once('exit', (status) => {
      if (status !== 9) return;
      deaths += 1;
      respawn();
    });
  };
  respawn();

  const job = await ended(id, 25_000);

  expect(readFailure(job.failedReason)).toEqual({
    code: 'max_deliveries',
    message: 'delivered 2 times without an outcome',
  });
  expect(deaths).toBe(2);
  expect(await queue.getJobCounts('active', 'waiting', 'failed')).toEqual({
    active: 0,
    waiting: 0,
    failed: 1,
  });
});
