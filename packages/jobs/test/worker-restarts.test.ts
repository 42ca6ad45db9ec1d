import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../src/define.ts';
import { serving } from './serving.ts';

const JOBS = 1_500;
const RESTARTS = 20;

test('loses nothing and runs nothing twice over 20 stops under load', { timeout: 60_000 }, async (t) => {
  const runs = new Map<number, number>();
  const count = defineJob({
    name: 'count',
    payload: z.object({ n: z.number() }),
    async run({ n }, { signal }) {
      runs.set(n, (runs.get(n) ?? 0) + 1);
      await sleep(n % 20, undefined, { signal });
      return n;
    },
  });
  const { queue, work } = await serving(t, [count]);
  await queue.addBulk(Array.from({ length: JOBS }, (_, n) => ({ name: 'count', data: { n } })));

  for (let restart = 0; restart < RESTARTS; restart += 1) {
    const worker = work({ concurrency: 10 });
    const before = runs.size;
    await vi.waitFor(() => expect(runs.size).toBeGreaterThanOrEqual(Math.min(before + 20, JOBS)), 10_000);
    await worker.stop(10_000);
    expect(await queue.getJobCountByTypes('active')).toBe(0);
  }
  work({ concurrency: 50 });
  await vi.waitFor(async () => expect(await queue.getJobCountByTypes('completed')).toBe(JOBS), 30_000);

  expect(runs.size).toBe(JOBS);
  expect([...runs.values()].filter((times) => times !== 1)).toEqual([]);
  expect(await queue.getJobCountByTypes('failed', 'waiting', 'delayed')).toBe(0);
});
