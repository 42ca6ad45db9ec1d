import { expect, it } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';
import { fuzz } from './fuzz.ts';

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);

it('answers 1,000 generated requests as its own document says, and serves every route', async (t) => {
  const api = await startApi(t);
  console.log(`fuzz: seed ${SEED}; again: npm run fuzz -- --seed ${SEED} --requests 1000`);

  const { faults, unreached, requests } = await fuzz({
    url: api.url,
    key: api.key,
    seed: SEED,
    requests: 1_000,
  });

  expect(faults).toEqual([]);
  expect(unreached).toEqual([]);
  expect(requests).toBeGreaterThanOrEqual(1_000);
}, 120_000);
