import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { postpone, retryAfter } from '../src/failure.ts';
import { serving } from './serving.ts';

test('a job that is postponed comes again, and neither an attempt nor a start is counted', async (t) => {
  let runs = 0;
  const busy = defineJob({
    name: 'busy',
    payload: z.unknown(),
    run: (_payload, { attempt }) => {
      runs += 1;
      if (runs < 4) throw postpone(20, 'no place');
      return { attempt };
    },
  });
  const { add, work, ended, outcomes } = await serving(t, [busy]);
  work();

  const job = await ended(await add('busy', {}, { attempts: 1 }));

  expect(job).toMatchObject({
    returnvalue: { attempt: 1 },
    attemptsMade: 1,
    attemptsStarted: 1,
    stalledCounter: 0,
  });
  expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual([
    'postpone',
    'postpone',
    'postpone',
    'completed',
  ]);
});

test('a postponed job still expires when its time is over', async (t) => {
  const busy = defineJob({
    name: 'busy',
    payload: z.unknown(),
    run: () => {
      throw postpone(50, 'no place');
    },
  });
  const { queue, work, ended } = await serving(t, [busy]);
  work();
  const opts = { sluice: { expiresAt: Date.now() + 300 } };

  const { id = '' } = await queue.add('busy', {}, opts as object);

  expect((await ended(id)).failedReason).toMatch(/^expired: not started before /);
});

test('a schedule that is not the job’s says how many attempts there are', async (t) => {
  const scheduled = defineJob({
    name: 'scheduled',
    payload: z.unknown(),
    run: () => {
      throw retryAfter(5, 'down', { maxAttempts: 3 });
    },
  });
  const { add, work, ended } = await serving(t, [scheduled]);
  work();

  const [few, many] = await Promise.all(
    [1, 10].map(async (attempts) => ended(await add('scheduled', {}, { attempts }))),
  );

  expect([few?.attemptsMade, many?.attemptsMade]).toEqual([3, 3]);
  expect(few?.failedReason).toBe('down');
});

test('a queue may say which job a name stands for, and how long a line of its log may be', async (t) => {
  const lengthy = defineJob({
    name: 'lengthy',
    payload: z.unknown(),
    maxLogLineBytes: 20_000,
    run: (_payload, { log }) => log('x'.repeat(15_000)),
  });
  const { add, work, ended, queue } = await serving(t, []);
  work({ entryFor: () => ({ job: lengthy, origin: 'test' }) });

  const id = await add('whatever');

  expect((await ended(id)).failedReason).toBeUndefined();
  expect((await queue.getJobLogs(id)).logs[0]).toHaveLength(15_000);
});
