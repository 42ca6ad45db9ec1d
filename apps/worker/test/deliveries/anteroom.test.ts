import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Anteroom } from '../../src/deliveries/anteroom.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const answered = { isAnswered: true };
const silent = { isAnswered: false };

it('lets nobody wait for a host that has not answered, or not lately', async () => {
  const room = new Anteroom();

  expect(await room.wait('new')).toBe(false);
  room.leave('dead', silent);
  expect(await room.wait('dead')).toBe(false);
  room.leave('late', answered);
  vi.advanceTimersByTime(1_001);
  expect(await room.wait('late')).toBe(false);
});

it('calls the first two at an answer, one at another end, and each once', async () => {
  const room = new Anteroom();
  room.leave('a', answered);
  const called: number[] = [];
  const waits = [0, 1, 2, 3].map((n) => room.wait('a').then((isCalled) => isCalled && called.push(n)));

  room.leave('a', answered);
  await vi.advanceTimersByTimeAsync(0);
  expect(called).toEqual([0, 1]);
  room.leave('a', silent);
  await vi.advanceTimersByTimeAsync(0);
  expect(called).toEqual([0, 1, 2]);
  await vi.advanceTimersByTimeAsync(250);
  await Promise.all(waits);
  expect(called).toEqual([0, 1, 2]);
  expect(vi.getTimerCount()).toBe(0);
});

it('holds 100 of a host at most, and none of them longer than a quarter of a second', async () => {
  const room = new Anteroom();
  room.leave('a', answered);
  const waits = Array.from({ length: 110 }, () => room.wait('a'));

  expect(vi.getTimerCount()).toBe(100);
  await vi.advanceTimersByTimeAsync(250);

  expect(await Promise.all(waits)).toEqual(waits.map(() => false));
});
