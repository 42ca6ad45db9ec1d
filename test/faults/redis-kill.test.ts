import { expect, it } from 'vitest';
import { redisKills } from './cases/redis-kill.ts';
import { runCase } from './runner.ts';

it('Redis may be killed under load: what was acknowledged is done once', { timeout: 180_000 }, async () => {
  const [always] = redisKills;
  if (!always) throw new TypeError('there is no such case');

  const { outcome } = await runCase(always, { seed: 2, isShort: true });

  expect(outcome.faults).toEqual({ 'redis kill -9': 3 });
  expect(outcome.verdict?.acknowledged).toBeGreaterThan(300);
  expect(outcome.verdict?.invariants.filter(({ holds }) => !holds)).toEqual([]);
});
