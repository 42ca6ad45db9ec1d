import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Capacity } from '../src/http/capacity.ts';
import { Turns } from '../src/http/turns.ts';
import { busyFor } from './busy.ts';

const GIVE_UP_MS = 10_000;

it('lets a busy process hold what it finishes in a quarter of a second, and one that has time to spare all it may', async () => {
  const capacity = new Capacity({ max: 1_000 });
  const giveUpAt = performance.now() + GIVE_UP_MS;

  // One request in 10 ms at most, so that at most 25 are finished in a quarter of a second.
  while (capacity.limit === 1_000 && performance.now() < giveUpAt) {
    capacity.begin();
    busyFor(10);
    capacity.end();
    await turn();
  }

  expect(capacity.limit).toBeGreaterThanOrEqual(16);
  expect(capacity.limit).toBeLessThanOrEqual(25);
  capacity.begin();
  capacity.end();
  await expect.poll(() => capacity.limit).toBe(1_000);
});

it('lets a process that waits for others hold all it may', async () => {
  const capacity = new Capacity({ max: 100 });
  const giveUpAt = performance.now() + 500;
  const limits = new Set<number>();

  while (performance.now() < giveUpAt) {
    capacity.begin();
    await new Promise((resolve) => setTimeout(resolve, 5));
    capacity.end();
    limits.add(capacity.limit);
  }

  expect([...limits]).toEqual([100]);
});

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
