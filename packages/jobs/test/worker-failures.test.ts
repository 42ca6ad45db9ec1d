import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { fatal, readFailure, retryAfter } from '../src/failure.ts';
import { double, serving } from './serving.ts';

const anything = z.unknown();

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
