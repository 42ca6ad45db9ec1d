import { expect, it } from 'vitest';
import { workerKill } from './cases/worker-kill.ts';
import { runCase } from './runner.ts';

it('workers of every kind may be killed: each acknowledged job is done', { timeout: 240_000 }, async () => {
  const { outcome } = await runCase(workerKill, { seed: 7, isShort: true });

  expect(outcome.faults).toEqual({ 'worker kill -9': 5 });
  expect(outcome.verdict?.acknowledged).toBeGreaterThan(500);
  expect(outcome.verdict?.invariants.filter(({ holds }) => !holds)).toEqual([]);
});
