import type { TestContext } from '@sluice/redis/testing';
import { expect, test, vi } from 'vitest';
import { CANCELLED_REASON, DEFERRED_FAILURE_FIELD } from '../src/cancel.ts';
import { Catalog } from '../src/catalog.ts';
import { readFailure } from '../src/failure.ts';
import isolated from './jobs/isolated.mjs';
import { serving } from './serving.ts';

async function setup(t: TestContext) {
  const bundle = await serving(t, []);
  const module = new URL('./jobs/isolated.mjs', import.meta.url);
  bundle.work({
    catalog: new Catalog([{ job: isolated, origin: 'isolated.mjs', module }]),
    sandboxArgv: ['--import', 'tsx', '--conditions=@sluice/source'],
  });
  return bundle;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('runs an attempt in a process of its own and uses that again', async (t) => {
  const { queue, add, ended } = await setup(t);

  const first = await ended(await add('isolated', { act: 'answer' }));
  const second = await ended(await add('isolated', { act: 'answer' }));

  expect(first.returnvalue).toEqual({ pid: expect.any(Number), at: '1970-01-01T00:00:00.000Z' });
  expect(first.returnvalue.pid).not.toBe(process.pid);
  expect(second.returnvalue.pid).toBe(first.returnvalue.pid);
  expect(first.progress).toEqual({ half: true });
  expect((await queue.getJobLogs(first.id as string)).logs).toEqual([`job ${first.id}, attempt 1`]);
});

test('carries errors over: words, kind, and refusals of the context', async (t) => {
  const { add, ended } = await setup(t);

  const thrown = await ended(await add('isolated', { act: 'throw' }));
  const fatal = await ended(await add('isolated', { act: 'fatal' }, { attempts: 3 }));
  const refused = await ended(await add('isolated', { act: 'chatter' }));

  expect(thrown.failedReason).toBe('out of paper');
  expect(readFailure(fatal.failedReason)).toEqual({ code: 'fatal', message: 'no such printer' });
  expect(fatal.attemptsMade).toBe(1);
  expect(refused.failedReason).toBe('progress of 5002 bytes is above the limit of 4096');
});

test('survives a job that ends its process, and counts the attempt', async (t) => {
  const { add, ended } = await setup(t);

  const job = await ended(await add('isolated', { act: 'exit' }, { attempts: 2 }));

  expect(job.failedReason).toBe('the process of the job ended with status 3');
  expect(job.attemptsMade).toBe(2);
});

test('kills the process of a job that heeds no abort', async (t) => {
  const { redis, queue, add, ended } = await setup(t);
  const id = await add('isolated', { act: 'spin' });
  const pid = await vi.waitFor(
    async () => {
      const job = await queue.getJob(id);
      expect(job?.progress).toBeGreaterThan(0);
      return job?.progress as number;
    },
    { timeout: 5_000 },
  );
  expect(isAlive(pid)).toBe(true);

  await redis.client.hset(queue.toKey(id), DEFERRED_FAILURE_FIELD, CANCELLED_REASON);
  const job = await ended(id);

  expect(readFailure(job.failedReason).code).toBe('cancelled');
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false));
});

test('lets a job that heeds its abort come back by itself', async (t) => {
  const { queue, ended } = await setup(t);
  const { id } = await queue.add('isolated', { act: 'wait' }, { sluice: { timeoutMs: 1_500 } } as object);

  const job = await ended(id as string);

  expect(readFailure(job.failedReason).code).toBe('timeout');
  expect(isAlive(job.progress as number)).toBe(true);
});
