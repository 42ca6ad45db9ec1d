import { expect, it } from 'vitest';
import { crashWorkers } from './worker-crash.ts';

it('workers of every kind may be killed: each acknowledged job is done', { timeout: 240_000 }, async (t) => {
  const { kills, kinds } = await crashWorkers(t, {
    ...{ jobs: 900, seconds: 12, killEverySeconds: 2, seed: 7 },
    say: () => undefined,
  });

  expect(kills).toBe(6);
  for (const kind of ['native', 'leased', 'delivery'] as const)
    expect(kinds[kind], kind).toMatchObject({
      acknowledged: 300,
      effects: 300,
      lost: 0,
      failed: 0,
      unfinished: 0,
    });
});
