import { expect, it } from 'vitest';
import { findCase } from './cases/index.ts';
import { runCase } from './runner.ts';

/** The most telling ones; workers killed (F-09) are a file of their own, since they wait for locks most of the time. */
const SHORT_FORMS = [
  ['F-02', 'Redis killed under load loses nothing that was acknowledged'],
  ['F-04', 'Redis away for seven seconds, workers take jobs again at once'],
  ['F-17', 'an API may be killed, and restarted behind a balancer without a failed request'],
  ['F-20', 'many callers with one idempotency key make one job'],
] as const;

it.for(SHORT_FORMS)('%s: %s', { timeout: 180_000 }, async ([id]) => {
  const fault = findCase(id);
  if (!fault) throw new TypeError(`there is no case ${id}`);

  const { outcome } = await runCase(fault, { seed: 2, isShort: true });

  expect(outcome.verdict?.acknowledged).toBeGreaterThan(20);
  expect(outcome.verdict?.invariants.filter(({ holds }) => !holds)).toEqual([]);
  expect(outcome.findings.filter(({ holds }) => !holds)).toEqual([]);
});
