import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { CANCELLED_REASON, DEFERRED_FAILURE_FIELD } from '../src/cancel.ts';
import { defineJob } from '../src/define.ts';
import { readFailure } from '../src/failure.ts';
import { abortOf, double, gate, serving } from './serving.ts';

const anything = z.unknown();

test('ends a job that did not start in time as expired, without running it', async (t) => {
  const ran = vi.fn();
  const late = defineJob({ name: 'late', payload: anything, run: ran });
  const { queue, work, ended } = await serving(t, [late]);
  const expiresAt = Date.now() - 1;
  // BullMQ's types know nothing of the options of ours that it carries.
  const opts = { attempts: 5, sluice: { expiresAt } };
  const { id } = await queue.add('late', {}, opts);
  work();

  const job = await ended(id as string);

  expect(readFailure(job.failedReason)).toEqual({
    code: 'expired',
    message: `not started before ${new Date(expiresAt).toISOString()}`,
  });
  expect(ran).not.toHaveBeenCalled();
  expect(await queue.getJobCounts('failed', 'waiting', 'active', 'completed')).toEqual({
    failed: 1,
    waiting: 0,
    active: 0,
    completed: 0,
  });
});

test('lets a job that was started in time run its later attempts after its expiry', async (t) => {
  const slow = defineJob({
    name: 'slow',
    payload: anything,
    run: (_payload, { attempt }) => {
      if (attempt === 1) throw new Error('once more');
      return 'done';
    },
  });
  const { queue, work, ended } = await serving(t, [slow]);
  work();

  const opts = {
    attempts: 2,
    backoff: { type: 'fixed', delay: 600 },
    sluice: { expiresAt: Date.now() + 500 },
  };
  const { id } = await queue.add('slow', {}, opts);

  expect((await ended(id as string)).returnvalue).toBe('done');
});

test('aborts an attempt that runs longer than allowed, and counts it', async (t) => {
  const aborts: string[] = [];
  const endless = defineJob({
    name: 'endless',
    payload: anything,
    async run(_payload, { signal }) {
      aborts.push(await abortOf(signal));
    },
  });
  const { queue, work, ended, outcomes } = await serving(t, [endless]);
  work();

  const { id } = await queue.add('endless', {}, { attempts: 2, sluice: { timeoutMs: 50 } } as object);
  const job = await ended(id as string);

  expect(aborts).toEqual(['timeout', 'timeout']);
  expect(readFailure(job.failedReason)).toEqual({
    code: 'timeout',
    message: 'the attempt ran longer than 50 ms',
  });
  expect(job.attemptsMade).toBe(2);
  expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(['retry', 'fail']);
});

test('aborts a running job in whichever process holds it within a second of a cancel, and does not try again', async (t) => {
  const started = gate();
  let abortedBy = '';
  const long = defineJob({
    name: 'long',
    payload: anything,
    async run(_payload, { signal }) {
      started.open();
      abortedBy = await abortOf(signal);
      throw new Error('interrupted');
    },
  });
  const { redis, queue, add, work, ended } = await serving(t, [long]);
  work();
  const id = await add('long', {}, { attempts: 5 });
  await started.opened;

  const requestedAt = performance.now();
  await redis.client.hset(queue.toKey(id), DEFERRED_FAILURE_FIELD, CANCELLED_REASON);
  const job = await ended(id);

  expect(performance.now() - requestedAt).toBeLessThan(1_000);
  expect(abortedBy).toBe('cancelled');
  expect(readFailure(job.failedReason)).toEqual({ code: 'cancelled', message: 'cancelled on request' });
  expect(job.attemptsMade).toBe(1);
});

test('heeds a cancel that came too late for the attempt before it decides on another one', async (t) => {
  const { redis, queue, add, work, ended, outcomes } = await serving(t, [
    defineJob({
      name: 'racing',
      payload: anything,
      async run(_payload, { jobId }) {
        await redis.client.hset(queue.toKey(jobId), DEFERRED_FAILURE_FIELD, CANCELLED_REASON);
        throw new Error('failed by itself');
      },
    }),
  ]);
  work();

  const job = await ended(
    await add('racing', {}, { attempts: 5, backoff: { type: 'fixed', delay: 60_000 } }),
  );

  expect(readFailure(job.failedReason).code).toBe('cancelled');
  expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(['fail']);
});

test('does not take the failure of a child for a cancel of its parent', async (t) => {
  const started = gate();
  const parent = defineJob({
    name: 'parent',
    payload: anything,
    async run(_payload, { signal }) {
      started.open();
      await sleep(900, undefined, { signal });
      return 'finished';
    },
  });
  const { redis, queue, add, work, ended } = await serving(t, [parent]);
  work();
  const id = await add('parent');
  await started.opened;

  await redis.client.hset(queue.toKey(id), DEFERRED_FAILURE_FIELD, 'child work:7 failed');

  expect((await ended(id)).returnvalue).toBe('finished');
});

test('tells of a job that BullMQ failed before its attempt', async (t) => {
  const { redis, queue, add, work, ended, outcomes } = await serving(t, [double]);
  const id = await add('double', { n: 1 });
  await redis.client.hset(queue.toKey(id), DEFERRED_FAILURE_FIELD, CANCELLED_REASON);
  work();

  const job = await ended(id);

  expect(readFailure(job.failedReason).code).toBe('cancelled');
  await vi.waitFor(() =>
    expect(outcomes.map(({ outcome }) => outcome)).toMatchObject([
      { kind: 'fail', failure: { code: 'cancelled' } },
    ]),
  );
});
