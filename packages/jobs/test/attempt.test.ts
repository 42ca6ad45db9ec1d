import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { Attempt, type AttemptFacts } from '../src/attempt.ts';
import { defineJob, type JobDefinition } from '../src/define.ts';

const FACTS: AttemptFacts = {
  queue: 'work',
  jobId: 'j_1',
  name: 'job',
  attempt: 1,
  maxAttempts: 3,
  payload: {},
  lostDeliveries: 0,
  isFirstStart: true,
  timeoutMs: undefined,
  expiresAt: undefined,
};

function attempt(job: Partial<JobDefinition>, facts: Partial<AttemptFacts> = {}) {
  const definition = defineJob({ name: 'job', payload: z.unknown(), run: () => undefined, ...job });
  const onAbandoned = vi.fn();
  const it = new Attempt({
    facts: { ...FACTS, ...facts },
    entry: { job: definition, origin: 'test' },
    sink: { progress: async () => undefined, log: async () => undefined },
    settings: {
      isolate: () => Promise.reject(new Error('not isolated')),
      middleware: [],
      defaultTimeoutMs: 5_000,
      maxDeliveries: 10,
      onAbandoned,
    },
  });
  return { it, onAbandoned };
}

test.for([
  ['nothing', undefined],
  ['null', null],
  ['zero', 0],
  ['a list', [1, { a: 'b' }]],
])('keeps %s as a result', async ([, result]) => {
  expect(await attempt({ run: () => result }).it.run()).toEqual({ kind: 'completed', result });
});

test('refuses a result that does not fit its schema, without another attempt', async () => {
  const { it } = attempt({ result: z.object({ id: z.string() }), run: () => ({ id: 7 }) });

  expect(await it.run()).toMatchObject({
    kind: 'fail',
    failure: { code: 'invalid_result', message: expect.stringMatching(/^result\.id: /) },
  });
});

test('refuses a result that is not JSON', async () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;

  expect(await attempt({ run: () => circle }).it.run()).toMatchObject({
    kind: 'fail',
    failure: { code: 'invalid_result' },
  });
  expect(await attempt({ run: () => 1n }).it.run()).toMatchObject({
    kind: 'fail',
    failure: { code: 'invalid_result' },
  });
});

test('refuses a result above its limit in bytes, and takes one at the limit', async () => {
  const over = attempt({ run: () => 'é'.repeat(8_192) });
  const at = attempt({ run: () => 'x'.repeat(16_382) });
  const wider = attempt({ maxResultBytes: 20_000, run: () => 'é'.repeat(8_192) });

  expect(await over.it.run()).toMatchObject({
    kind: 'fail',
    failure: {
      code: 'result_too_large',
      message: "the result of 16386 bytes is above the limit of 16384 of job 'job'",
    },
  });
  expect((await at.it.run()).kind).toBe('completed');
  expect((await wider.it.run()).kind).toBe('completed');
});

test('tells at most five faults of a payload', async () => {
  const fields = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [name, z.string()]));
  const { it } = attempt({ payload: z.object(fields) });

  const outcome = await it.run();

  expect(outcome).toMatchObject({
    kind: 'fail',
    failure: { code: 'invalid_payload', message: expect.stringMatching(/\(and 2 more\)$/) },
  });
});

test('takes the timeout of the job before that of its definition, and that before the default', async () => {
  const hang = (_payload: unknown, { signal }: { signal: AbortSignal }) =>
    sleep(10_000, undefined, { signal });

  const own = await attempt({ timeoutMs: 9_000, run: hang }, { timeoutMs: 20 }).it.run();
  const defined = await attempt({ timeoutMs: 30, run: hang }).it.run();

  expect(own).toMatchObject({
    kind: 'retry',
    failure: { code: 'timeout', message: 'the attempt ran longer than 20 ms' },
  });
  expect(defined).toMatchObject({ kind: 'retry', failure: { message: 'the attempt ran longer than 30 ms' } });
});

test('fails instead of trying again when it is the last attempt', async () => {
  const { it } = attempt({ run: () => Promise.reject(new Error('again')) }, { attempt: 3 });

  expect(await it.run()).toMatchObject({ kind: 'fail', failure: { code: 'error', message: 'again' } });
});

test('leaves a processor behind that does not come back from its abort, and says so', async () => {
  const { it, onAbandoned } = attempt({ abortGraceMs: 20, run: () => new Promise(() => undefined) });
  const running = it.run();

  it.abort('cancelled', 'cancelled on request');

  expect(await running).toMatchObject({ kind: 'fail', failure: { code: 'cancelled' } });
  expect(onAbandoned).toHaveBeenCalledOnce();
});

test('does not take a result for one that comes after a cancel', async () => {
  const { it, onAbandoned } = attempt({
    run: (_payload, { signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('too late'))),
  });
  const running = it.run();

  it.abort('cancelled', 'cancelled on request');

  expect((await running).kind).toBe('fail');
  expect(onAbandoned).not.toHaveBeenCalled();
});

test('keeps to the first reason of an abort', async () => {
  const { it } = attempt({ run: (_payload, { signal }) => sleep(10_000, undefined, { signal }) });
  const running = it.run();

  it.abort('lock_lost', 'gone');
  it.abort('cancelled', 'cancelled on request');

  expect(await running).toEqual({ kind: 'lost' });
});

test('refuses progress and log lines of an attempt that is over', async () => {
  const late: unknown[] = [];
  const { it } = attempt({
    async run(_payload, { signal, progress, log }) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      for (const call of [progress(1), log('x')]) await call.catch((error: unknown) => late.push(error));
    },
  });
  const running = it.run();
  it.abort('cancelled', 'cancelled on request');
  await running;

  expect(late).toMatchObject([{ code: 'cancelled' }, { code: 'cancelled' }]);
});

test('handles what an abandoned processor throws later', async (t) => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  t.onTestFinished(() => void process.off('unhandledRejection', unhandled));
  const { it } = attempt({
    abortGraceMs: 5,
    run: () => sleep(30).then(() => Promise.reject(new Error('late'))),
  });
  const running = it.run();
  it.abort('timeout', 'too long');
  await running;

  await sleep(60);

  expect(unhandled).not.toHaveBeenCalled();
});
