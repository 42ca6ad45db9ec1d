import { expect, test } from 'vitest';
import { DeadlineError, within } from '../src/index.ts';

test('work that is done in time gives its value', async () => {
  expect(await within(Promise.resolve('done'), 1_000)).toBe('done');
});

test('work that fails in time gives its failure', async () => {
  const failure = new Error('no');

  await expect(within(Promise.reject(failure), 1_000)).rejects.toBe(failure);
});

test('work that is not done in time gives a deadline error that says how long', async () => {
  const error = await within(new Promise(() => {}), 20).catch((thrown: unknown) => thrown);

  expect(error).toBeInstanceOf(DeadlineError);
  expect(error).toMatchObject({ name: 'DeadlineError', timeoutMs: 20, message: 'not answered within 20 ms' });
});

test('work that fails too late troubles nobody', async () => {
  let fail = (_: Error) => {};
  const work = new Promise((_, reject) => {
    fail = reject;
  });
  await expect(within(work, 5)).rejects.toBeInstanceOf(DeadlineError);

  fail(new Error('late'));

  // An unhandled rejection would fail the run.
  await new Promise((resolve) => setImmediate(resolve));
});

test('no timer is left behind', async () => {
  const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

  await within(Promise.resolve(), 60_000);
  await within(Promise.reject(new Error('no')), 60_000).catch(() => undefined);

  expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')).toHaveLength(before);
});
