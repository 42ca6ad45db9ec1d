import { expect, it } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';
import { fuzz } from './fuzz.ts';

/** The same each time: what another one finds is for whoever looks for it, `npm run fuzz`. */
const SEED = Number(process.env.FUZZ_SEED ?? 2);

/** What the API has logged of requests that it failed to answer. */
function failuresIn(log: string): string {
  return log
    .split('\n')
    .filter((line) => line.includes('"status":500'))
    .join('\n');
}

it('answers 1,000 generated requests as its own document says, and serves every route', async (t) => {
  const api = await startApi(t);
  console.log(`fuzz: seed ${SEED}; again: npm run fuzz -- --seed ${SEED} --requests 1000`);

  const { faults, unreached, requests } = await fuzz({
    url: api.url,
    key: api.key,
    seed: SEED,
    requests: 1_000,
  });

  expect(faults, failuresIn(api.logged())).toEqual([]);
  expect(unreached).toEqual([]);
  expect(requests).toBeGreaterThanOrEqual(1_000);
}, 120_000);
