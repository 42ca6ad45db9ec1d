import { fail } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { CANCELLED_REASON, DEFERRED_FAILURE_FIELD } from '../src/cancel.ts';
import { defineJob } from '../src/define.ts';
import { fatal, readFailure, retryAfter } from '../src/failure.ts';
import { abortOf, gate, serving } from './serving.ts';

const anything = z.unknown();
const double = defineJob({
  name: 'double',
  payload: z.object({ n: z.number() }),
  run: ({ n }) => ({ twice: n * 2 }),
});

test('runs a job with its payload and keeps its result', async (t) => {
  const { add, work, ended, outcomes } = await serving(t, [double]);
  work();

  const job = await ended(await add('double', { n: 21 }));

  expect(job.returnvalue).toEqual({ twice: 42 });
  expect(job.attemptsMade).toBe(1);
  expect(outcomes.map(({ outcome }) => outcome)).toEqual([{ kind: 'completed', result: { twice: 42 } }]);
});

test('runs as many attempts at the same time as its concurrency says, and no more', async (t) => {
  let running = 0;
  let most = 0;
  const wait = defineJob({
    name: 'wait',
    payload: anything,
    async run() {
      running += 1;
      most = Math.max(most, running);
      await sleep(20);
      running -= 1;
    },
  });
  const { add, work, ended } = await serving(t, [wait]);
  const ids = await Promise.all(Array.from({ length: 30 }, () => add('wait')));
  work({ concurrency: 5 });

  await Promise.all(ids.map((id) => ended(id)));

  expect(most).toBe(5);
});

test('begins no more attempts in a time than its rate says', async (t) => {
  const { add, work, ended } = await serving(t, [double]);
  const ids = [await add('double', { n: 1 }), await add('double', { n: 2 }), await add('double', { n: 3 })];
  work({ rate: { max: 2, durationMs: 500 } });

  const [first, second, third] = await Promise.all(ids.map(async (id) => (await ended(id)).processedOn ?? 0));

  // By Redis' clock the window began with the first; these are the worker's times.
  expect(Number(third) - Number(first)).toBeGreaterThan(450);
  expect(Number(second) - Number(first)).toBeLessThan(450);
});

test('tries again after an error, and completes when an attempt succeeds', async (t) => {
  const flaky = defineJob({
    name: 'flaky',
    payload: anything,
    run: (_payload, { attempt, maxAttempts }) => {
      if (attempt < 3) throw new Error(`attempt ${attempt} of ${maxAttempts}`);
      return attempt;
    },
  });
  const { add, work, ended, outcomes } = await serving(t, [flaky]);
  work();

  const job = await ended(await add('flaky', {}, { attempts: 3, backoff: { type: 'fixed', delay: 10 } }));

  expect(job.returnvalue).toBe(3);
  expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(['retry', 'retry', 'completed']);
});

test('fails with the words of the last error when no attempt is left', async (t) => {
  const broken = defineJob({
    name: 'broken',
    payload: anything,
    run: () => {
      throw new Error('the disk is full');
    },
  });
  const { add, work, ended, outcomes } = await serving(t, [broken]);
  work();

  const job = await ended(await add('broken', {}, { attempts: 2 }));

  expect(job.failedReason).toBe('the disk is full');
  expect(job.attemptsMade).toBe(2);
  expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(['retry', 'fail']);
});

test('ends the job at once when its processor says that another attempt cannot help', async (t) => {
  const closed = defineJob({
    name: 'closed',
    payload: anything,
    run: () => {
      throw fatal('the account is closed');
    },
  });
  const { add, work, ended } = await serving(t, [closed]);
  work();

  const job = await ended(await add('closed', {}, { attempts: 5 }));

  expect(readFailure(job.failedReason)).toEqual({ code: 'fatal', message: 'the account is closed' });
  expect(job.attemptsMade).toBe(1);
});

test('waits as long as the processor asks before the next attempt, whatever the backoff says', async (t) => {
  const startedAt: number[] = [];
  const limited = defineJob({
    name: 'limited',
    payload: anything,
    run: (_payload, { attempt }) => {
      startedAt.push(Date.now());
      if (attempt === 1) throw retryAfter(300, 'asked to wait');
    },
  });
  const { add, work, ended } = await serving(t, [limited]);
  work();

  const job = await ended(
    await add('limited', {}, { attempts: 2, backoff: { type: 'fixed', delay: 60_000 } }),
  );

  expect(await job.getState()).toBe('completed');
  expect((startedAt[1] ?? 0) - (startedAt[0] ?? 0)).toBeGreaterThanOrEqual(300);
});

test.for(['nothing', 'constructor', '__proto__', 'toString'])(
  'ends a job that nobody knows (%s) with a reason',
  async (name, t) => {
    const { add, work, ended } = await serving(t, [double]);
    work();

    const job = await ended(await add(name, {}, { attempts: 5 }));

    expect(readFailure(job.failedReason)).toEqual({
      code: 'unknown_job',
      message: `no processor named '${name}' is known to this worker`,
    });
    expect(job.attemptsMade).toBe(1);
  },
);

test('ends a job whose payload does not fit, names the field, and tells nothing of the payload', async (t) => {
  const { add, work, ended } = await serving(t, [double]);
  work();

  const job = await ended(await add('double', { n: 'hunter2' }, { attempts: 5 }));

  const { code, message } = readFailure(job.failedReason);
  expect(code).toBe('invalid_payload');
  expect(message).toMatch(/^data\.n: /);
  expect(JSON.stringify([job.failedReason, job.stacktrace])).not.toContain('hunter2');
  expect(job.attemptsMade).toBe(1);
});

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

test('keeps progress and log lines within their bounds', async (t) => {
  const faults: unknown[] = [];
  const talkative = defineJob({
    name: 'talkative',
    payload: anything,
    async run(_payload, { progress, log }) {
      await progress({ percent: 40 });
      await progress('x'.repeat(5_000)).catch((error: unknown) => faults.push(error));
      await progress(undefined).catch((error: unknown) => faults.push(error));
      await log('é'.repeat(10_000));
      for (let line = 0; line < 120; line += 1) await log(`line ${line}`);
    },
  });
  const { queue, add, work, ended } = await serving(t, [talkative]);
  work();

  const job = await ended(await add('talkative'));

  expect(job.progress).toEqual({ percent: 40 });
  expect(faults).toMatchObject([
    { message: 'progress of 5002 bytes is above the limit of 4096' },
    { message: 'progress must be JSON' },
  ]);
  const { logs, count } = await queue.getJobLogs(job.id as string, 0, 200);
  expect(count).toBe(100);
  expect(logs.at(-1)).toBe('line 119');
});

test('cuts a long log line between characters', async (t) => {
  const wordy = defineJob({
    name: 'wordy',
    payload: anything,
    run: (_payload, { log }) => log(`a${'é'.repeat(10_000)}`),
  });
  const { queue, add, work, ended } = await serving(t, [wordy]);
  work();

  const job = await ended(await add('wordy'));

  const [line = ''] = (await queue.getJobLogs(job.id as string)).logs;
  expect(line).toBe(`a${'é'.repeat(4_095)}… (20001 bytes)`);
});

test('calls middleware before and after each attempt, and survives one that throws afterwards', async (t) => {
  const calls: string[] = [];
  const { add, work, ended } = await serving(t, [double]);
  work({
    middleware: [
      {
        before: ({ name }) => void calls.push(`first before ${name}`),
        after: (_facts, { kind }) => void calls.push(`first after ${kind}`),
      },
      {
        before: () => void calls.push('second before'),
        after: () => fail('broken'),
      },
    ],
  });

  const job = await ended(await add('double', { n: 1 }));

  expect(job.returnvalue).toEqual({ twice: 2 });
  expect(calls).toEqual(['first before double', 'second before', 'first after completed']);
});

test('takes an error of middleware before an attempt for the error of the attempt', async (t) => {
  const ran = vi.fn();
  const { add, work, ended } = await serving(t, [
    defineJob({ name: 'guarded', payload: anything, run: ran }),
  ]);
  work({
    middleware: [
      {
        before: () => {
          throw fatal('not today');
        },
      },
    ],
  });

  const job = await ended(await add('guarded'));

  expect(readFailure(job.failedReason)).toEqual({ code: 'fatal', message: 'not today' });
  expect(ran).not.toHaveBeenCalled();
});
