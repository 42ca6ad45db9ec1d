import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextWaitMs, readRetryAfter, readSchedule } from '../src/schedule.ts';
import { DEFAULT_SCHEDULE_MS } from '../src/schemas.ts';

describe('the next wait', () => {
  test('is that of the schedule, and none after the last attempt', () => {
    const waits = DEFAULT_SCHEDULE_MS.map((_, at) =>
      nextWaitMs({ schedule: DEFAULT_SCHEDULE_MS, jitter: 0, attempt: at + 1, retryAfterMs: undefined }),
    );

    expect(waits).toEqual([
      5_000,
      30_000,
      120_000,
      900_000,
      3_600_000,
      7_200_000,
      18_000_000,
      36_000_000,
      36_000_000,
      undefined,
    ]);
  });

  test('differs by its jitter at most, both ways', () => {
    const wait = (random: number) =>
      nextWaitMs({ schedule: [0, 10_000], jitter: 0.2, attempt: 1, retryAfterMs: undefined, random });

    expect([wait(0), wait(0.5), wait(1)]).toEqual([8_000, 10_000, 12_000]);
  });

  test('is what Retry-After asks for: shorter or longer than the schedule, a day at most, never less than asked', () => {
    const wait = (retryAfterMs: number, schedule = [0, 60_000]) =>
      nextWaitMs({ schedule, jitter: 0.1, attempt: 1, retryAfterMs, random: 0 });

    expect(wait(2_000)).toBe(2_000);
    expect(wait(3_600_000)).toBe(3_600_000);
    expect(wait(10 * 86_400_000)).toBe(86_400_000);
    // Nobody is to spend all attempts at once.
    expect(wait(0)).toBe(1_000);
    expect(wait(0, [0, 10])).toBe(10);
  });

  test('does not come because of Retry-After when no attempt is left', () => {
    expect(nextWaitMs({ schedule: [0], jitter: 0, attempt: 1, retryAfterMs: 1_000 })).toBeUndefined();
  });

  test('is never below 0 nor above what was asked for by more than its jitter', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 7 * 86_400_000 }), { minLength: 2, maxLength: 50 }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        fc.option(fc.integer({ min: 0, max: 2 ** 31 }), { nil: undefined }),
        (schedule, jitter, retryAfterMs) => {
          const wait = nextWaitMs({ schedule, jitter, attempt: 1, retryAfterMs }) as number;
          const most = Math.max(1_000, schedule[1] as number, Math.min(retryAfterMs ?? 0, 86_400_000));

          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(Math.ceil(most * (1 + jitter)));
        },
      ),
    );
  });
});

test.for([
  ['120', 120_000],
  ['0', 0],
  ['Wed, 21 Oct 2026 07:28:10 GMT', 10_000],
  ['Wed, 21 Oct 2026 07:27:00 GMT', 0],
  ['soon', undefined],
  ['-5', 0],
  ['', undefined],
  ['1e9999', undefined],
  [undefined, undefined],
] as const)('reads Retry-After %s as %s ms', ([value, waitMs]) => {
  expect(readRetryAfter(value, Date.parse('2026-10-21T07:28:00Z'))).toBe(waitMs);
});

test('reads durations and milliseconds, 60 days of them at most', () => {
  expect(readSchedule([0, '5s', 1_500, '2m', '1h', '1d'])).toEqual([
    0, 5_000, 1_500, 120_000, 3_600_000, 86_400_000,
  ]);
  expect(() => readSchedule(['61d'])).toThrow('more than 60 days');
  expect(() => readSchedule(['never'])).toThrow('more than 60 days');
});
