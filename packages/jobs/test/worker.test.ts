import { fail } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { fatal, readFailure } from '../src/failure.ts';
import { double, serving } from './serving.ts';

const anything = z.unknown();

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
