import { expect, test } from 'vitest';
import { behind } from '../src/job-follow.ts';

test.for([
  { before: [], now: ['a', 'b'], told: ['a', 'b'] },
  { before: ['a', 'b'], now: ['a', 'b', 'c'], told: ['c'] },
  { before: ['a', 'b', 'c'], now: ['b', 'c', 'd'], told: ['d'] },
  { before: ['a', 'b'], now: ['a', 'b'], told: [] },
  { before: ['a', 'b'], now: ['x', 'y'], told: ['x', 'y'] },
  { before: ['a', 'a'], now: ['a', 'a', 'a'], told: ['a'] },
])('of $now after $before, $told is new', ({ before, now, told }) => {
  expect(behind(before, now)).toEqual(told);
});
