import { describe, expect, it } from 'vitest';
import { glob } from '../src/glob.ts';
import { Policy } from '../src/index.ts';
import { PERIODS_MS, type PolicyInput } from '../src/schemas.ts';

const A_RATE: PolicyInput = { name: 'p', limit: 10, period: 'minute' };

describe('a policy', () => {
  it('knows the real length of its period', () => {
    const lengthOf = (period: string) => new Policy({ ...A_RATE, period }).ruleFor('x')?.periodMs;

    expect(Object.keys(PERIODS_MS).map(lengthOf)).toEqual([
      60_000, 3_600_000, 86_400_000, 604_800_000, 2_592_000_000,
    ]);
    expect(['250ms', '10s', '15m', '2h', '90d'].map(lengthOf)).toEqual([
      250, 10_000, 900_000, 7_200_000, 7_776_000_000,
    ]);
  });

  it.for<[string, Partial<PolicyInput>, string]>([
    ['no period', { period: undefined as never }, 'gcra needs a period'],
    ['a period of nothing', { period: '0s' }, "'0s' is not a period"],
    ['a period without a unit', { period: '60' }, "'60' is not a period"],
    ['a name that is not one', { name: 'Per Key' }, 'a policy is named by'],
    ['a limit below nothing', { limit: -1 }, 'limit'],
    ['a burst where there is none', { algorithm: 'fixed', burst: 3 }, 'fixed has no burst'],
    ['a lease where there is none', { lease: '10s' }, 'gcra has no leases'],
    ['a period of leases', { algorithm: 'concurrency' }, 'concurrency has no period'],
    ['a setting nobody knows', { limt: 3 } as never, 'limt'],
    [
      'numbers that cannot be counted exactly',
      { limit: 999_999_937, period: '30-day' },
      'cannot be counted exactly',
    ],
  ])('refuses %s', ([, fault, message]) => {
    expect(() => new Policy({ ...A_RATE, ...fault })).toThrow(message);
  });
});

describe('a pattern', () => {
  it.for<[string, string, boolean]>([
    ['a', 'a', true],
    ['a', 'ab', false],
    ['*', '', true],
    ['a*', 'a', true],
    ['*a', 'ba', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['a*bb*b', 'abb', false],
    ['a**b', 'ab', true],
    ['[a].*', '[a].x', true],
    ['[a].*', 'a_x', false],
  ])('%s on %s: %s', ([pattern, text, expected]) => {
    expect(glob(pattern).fits(text)).toBe(expected);
  });
});
