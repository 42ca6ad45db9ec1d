import { expect, it } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';
import { failuresIn } from './judgement.ts';
import { race } from './queue-races.ts';

it('has an answer for every call that races others for the same jobs', { timeout: 60_000 }, async (t) => {
  const api = await startApi(t);

  const { failures, answers } = await race({ url: api.url, key: api.key, seed: 1, calls: 3_000 });

  expect(failures, failuresIn(api.logged())).toEqual([]);
  // Each of them met jobs that were there.
  expect(Object.keys(answers)).toEqual(
    expect.arrayContaining(['take 200', 'complete 200', 'obliterate 200']),
  );
});
