import { expect, it } from 'vitest';
import { theilSen } from './slope.ts';

it('tells the slope of a line, whatever a few points far off it say', () => {
  const line = Array.from({ length: 1_000 }, (_, x) => ({ x, y: 3 * x + 7 }));
  const spiked = line.map((point) => (point.x % 50 === 0 ? { x: point.x, y: 1e9 } : point));

  expect(theilSen(line)).toBeCloseTo(3);
  expect(theilSen(spiked)).toBeCloseTo(3, 1);
  expect([theilSen([]), theilSen([{ x: 1, y: 1 }])]).toEqual([0, 0]);
});
