import { expect, test } from 'vitest';
import { bytes, count, duration, percent, rate } from '../../src/console/figures.ts';
import { bars, line } from '../../src/console/plots.ts';

test.for([
  [-1, '0 ms'],
  [999, '999 ms'],
  [59_999, '59 s'],
  [3_600_000, '1 h'],
  [3_660_000, '1 h 1 min'],
  [86_400_000 * 4 + 3_600_000 * 6, '4 d 6 h'],
] as const)('%i ms are %s', ([ms, text]) => {
  expect(duration(ms)).toBe(text);
});

test('sizes, shares, counts and rates are short', () => {
  expect([0, 1_023, 1_024, 1_536, 150 * 1_024, 2 ** 31].map(bytes)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '150 KiB',
    '2.0 GiB',
  ]);
  expect([0, 0.001, 0.0999, 0.8, 1.05].map(percent)).toEqual(['0 %', '0.1 %', '10.0 %', '80 %', '105 %']);
  expect(count(1_234_567)).toBe('1,234,567');
  expect([0, 0.2, 9.99, 10.4, 12_345].map(rate)).toEqual(['0', '0.2', '10.0', '10', '12,345']);
});

test('a plot of bars is told in words, and draws nothing where there is nothing', () => {
  const plot = bars({
    label: 'Done',
    series: [
      [0, 4],
      [0, 1],
    ],
    unit: 'jobs',
  }).toString();

  expect(plot).toContain('aria-label="Done: at most 5 jobs, 5 in the last minute"');
  expect(plot.match(/<rect/g)).toHaveLength(2);
  expect(plot).not.toContain('style=');
});

test('a plot of a line leaves out what is not known, and stays within its frame', () => {
  const plot = line({ label: 'Memory', points: [null, 50, 100], show: String, most: 80 }).toString();
  const empty = line({ label: 'Memory', points: [null, null], show: String }).toString();

  expect(plot).toContain('aria-label="Memory: 100 now, at most 100"');
  expect(plot).toContain('points="300.0,41.3 600.0,6.0"');
  expect(empty).toContain('not known yet');
  expect(empty).not.toContain('polyline');
});
