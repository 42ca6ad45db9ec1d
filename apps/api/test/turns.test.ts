import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Turns } from '../src/http/turns.ts';
import { busyFor } from './busy.ts';

it('begins in one turn of the event loop what fits in it, and the rest in the next, in order', async () => {
  const turns = new Turns();
  let turnsSoFar = 0;
  const count = () => {
    turnsSoFar += 1;
    counter = setImmediate(count);
  };
  let counter = setImmediate(count);
  const begun: { n: number; turn: number }[] = [];

  await Promise.all(
    Array.from({ length: 12 }, async (_, n) => {
      // All of the same turn.
      await turn();
      await turns.begin(async () => {
        begun.push({ n, turn: turnsSoFar });
        // What a request does comes behind its first wait.
        await Promise.resolve();
        busyFor(15);
      });
    }),
  );
  clearImmediate(counter);

  expect(begun.map(({ n }) => n)).toEqual(begun.map((_, at) => at));
  const perTurn = begun.map(({ turn: mine }) => begun.filter(({ turn: other }) => other === mine).length);
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(2);
});

it('settles as the work does that had to wait', async () => {
  const turns = new Turns();
  const first = turns.begin(async () => busyFor(30));

  const second = turns.begin(async () => Promise.reject(new Error('of the work')));

  await expect(second).rejects.toThrow('of the work');
  await first;
});

it('tells how many wait, and how long the first of them has', async () => {
  const turns = new Turns();
  const first = turns.begin(async () => busyFor(30));
  const second = turns.begin(async () => undefined);
  const third = turns.begin(async () => undefined);
  busyFor(5);

  const { waiting, waitMs } = turns;
  await Promise.all([first, second, third]);

  expect(waiting).toBe(2);
  expect(waitMs).toBeGreaterThanOrEqual(5);
  expect({ waiting: turns.waiting, waitMs: turns.waitMs }).toEqual({ waiting: 0, waitMs: 0 });
});
