import { expect, it } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';
import { fuzz } from './fuzz.ts';
import { failuresIn } from './judgement.ts';

/** The same each time: what another one finds is for whoever looks for it, `npm run fuzz`. */
const SEED = Number(process.env.FUZZ_SEED ?? 2);

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
  expect(requests).toBe(1_000);
}, 120_000);
