import type { QueueView } from '@sluice/jobs';
import { expect, test } from 'vitest';
import { Pulse } from '../../src/console/pulse.ts';

const MINUTE_MS = 60_000;

function setup() {
  const clock = { time: 1_790_000_000_000, now: () => clock.time, monotonicMs: () => clock.time };
  const state = { asked: 0, waiting: 0, done: 0, isAway: false };
  const queue = (): QueueView => ({
    name: 'mail',
    counts: {
      waiting: state.waiting,
      prioritized: 0,
      delayed: 0,
      active: 0,
      'waiting-children': 0,
      completed: 0,
      failed: 0,
    },
    isPaused: false,
    durability: 'memory',
    workers: 0,
    limits: { concurrency: null, rate: null, group: null },
    oldestWaitingMs: null,
    rates: { completedPerMinute: 0, failedPerMinute: 0 },
    due: 0,
    finished: { completed: state.done, failed: 0 },
    stalled: 0,
  });
  const jobs = {
    queues: async () => {
      state.asked += 1;
      if (state.isAway) throw new Error('away');
      return [queue()];
    },
  };
  const pulse = new Pulse({ jobs, connections: { requestClients: () => [] }, clock });
  return { pulse, clock, state, queue };
}

test('one look a second serves everybody', async () => {
  const { pulse, clock, state } = setup();

  await Promise.all([pulse.look(), pulse.look(), pulse.look()]);
  clock.time += 999;
  await pulse.look();
  expect(state.asked).toBe(1);
  clock.time += 1;
  await pulse.look();

  expect(state.asked).toBe(2);
});

test('what came in is what has ended since, and what is open more than before', async () => {
  const { pulse, clock, state, queue } = setup();
  await pulse.remember();
  expect(pulse.inPerMinute(queue())).toBeNull();

  clock.time += 2 * MINUTE_MS;
  Object.assign(state, { waiting: 60, done: 20 });
  expect(pulse.inPerMinute(queue())).toBe(40);
  await pulse.remember();
  clock.time += 5 * MINUTE_MS;
  Object.assign(state, { waiting: 10, done: 120 });
  expect(pulse.inPerMinute(queue())).toBe(10);
  Object.assign(state, { waiting: 0, done: 20 });

  expect(pulse.inPerMinute(queue())).toBe(0);
});

test('remembers an hour, without the minutes that nobody could look at', async () => {
  const { pulse, clock, state } = setup();

  for (let minute = 0; minute < 70; minute += 1) {
    state.isAway = minute === 65;
    await pulse.remember();
    clock.time += MINUTE_MS;
  }

  expect(pulse.moments).toHaveLength(60);
  const [first, last] = [pulse.moments[0]?.at ?? 0, pulse.moments.at(-1)?.at ?? 0];
  expect((last - first) / MINUTE_MS).toBe(60);
});
