import { expect, test } from 'vitest';
import { parseBytes, parseDuration } from '../src/index.ts';

test.each([
  ['0ms', 0],
  ['250ms', 250],
  ['30s', 30_000],
  ['15m', 900_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  [' 1s ', 1_000],
])('%s is a duration', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  '',
  '5',
  's',
  '-1s',
  '1.5s',
  '1 s',
  '1S',
  '1w',
  '1s2',
  '1e3ms',
  '999999999999d',
  '9999999999999ms',
])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test.each([
  ['512b', 512],
  ['64kb', 65_536],
  ['1MB', 1_048_576],
  ['2gb', 2_147_483_648],
])('%s is a size', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each(['', '5', 'kb', '-1b', '1.5mb', '1tb', '1 kb', '999999999999gb'])('%j is no size', (text) => {
  expect(parseBytes(text)).toBeUndefined();
});
