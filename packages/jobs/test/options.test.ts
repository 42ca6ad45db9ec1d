import { describe, expect, it } from 'vitest';
import {
  attemptLimits,
  GROUP_PRIORITY,
  givenOptions,
  storedOptions,
  templateOptions,
  withoutPassedExpiry,
} from '../src/options.ts';
import { jobOptionsSchema } from '../src/schemas.ts';
import { optionsJson } from '../src/stored-job.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const ALWAYS = {
  attempts: 1,
  removeOnComplete: { age: 86_400, count: 1_000 },
  removeOnFail: { age: 1_209_600, count: 10_000 },
  keepLogs: 100,
  stackTraceLimit: 3,
};

describe('options of a job', () => {
  it('become those of BullMQ, and what it has no word for rides along', () => {
    const options = jobOptionsSchema.parse({
      run_at: '2030-01-01T00:00:05Z',
      priority: 7,
      lifo: true,
      attempts: 4,
      backoff: { type: 'exponential', delay: 100, jitter: 0.5 },
      timeout: 30_000,
      expires_at: '2030-01-01T01:00:00+00:00',
    });

    expect(storedOptions(options, NOW)).toEqual({
      ...ALWAYS,
      delay: 5_000,
      priority: 7,
      lifo: true,
      attempts: 4,
      backoff: { type: 'exponential', delay: 100, jitter: 0.5 },
      sluice: { timeoutMs: 30_000, expiresAt: NOW + 3_600_000 },
    });
  });

  it('are the same few without any, and at once when their time has passed', () => {
    expect(storedOptions(undefined, NOW)).toEqual(ALWAYS);
    expect(storedOptions({ run_at: '2029-01-01T00:00:00Z', priority: 0, lifo: false }, NOW)).toEqual(ALWAYS);
  });

  for (const [given, stored] of [
    [{ id: 'd' }, { deduplication: { id: 'd' } }],
    [{ id: 'd', mode: 'simple' }, { deduplication: { id: 'd' } }],
    [{ id: 'd', ttl: 5 }, { deduplication: { id: 'd', ttl: 5 } }],
    [
      { id: 'd', ttl: 5, mode: 'debounce' },
      { delay: 5, deduplication: { id: 'd', ttl: 5, extend: true, replace: true } },
    ],
    [{ id: 'd', mode: 'keep_last' }, { deduplication: { id: 'd', keepLastIfActive: true } }],
  ] as const) {
    it(`deduplicate as ${JSON.stringify(given)} says`, () => {
      expect(storedOptions(jobOptionsSchema.parse({ deduplication: given }), NOW)).toEqual({
        ...ALWAYS,
        ...stored,
      });
    });
  }

  for (const [retain, completed, failed] of [
    [{}, { age: 86_400, count: 1_000 }, { age: 1_209_600, count: 10_000 }],
    [{ count: 0 }, { age: 86_400, count: 0 }, { age: 1_209_600, count: 0 }],
    [{ count: 1 }, { age: 86_400, count: 1 }, { age: 1_209_600, count: 5_000 }],
    [
      { age: 60, count: 1e9 },
      { age: 60, count: 5_000 },
      { age: 60, count: 10_000 },
    ],
    [{ age: 1e9 }, { age: 2_592_000, count: 1_000 }, { age: 2_592_000, count: 10_000 }],
  ] as const) {
    it(`keep finished jobs within bounds when asked for ${JSON.stringify(retain)}`, () => {
      expect(storedOptions(jobOptionsSchema.parse({ retain }), NOW)).toMatchObject({
        removeOnComplete: completed,
        removeOnFail: failed,
      });
    });
  }
});

it('carry the group of a job as a priority that nobody gave', () => {
  const stored = templateOptions({ group: 'tenant-7', attempts: 2 });

  expect(stored).toMatchObject({ priority: GROUP_PRIORITY, sluice: { group: 'tenant-7' } });
  expect(givenOptions(stored)).toEqual({ group: 'tenant-7', attempts: 2 });
});

describe('limits of an attempt', () => {
  it('count a time to live from acceptance, and of a scheduled job from its time', () => {
    expect(attemptLimits(storedOptions({ ttl: 100, timeout: 5 }, NOW), NOW)).toEqual({
      timeoutMs: 5,
      expiresAt: NOW + 100,
    });
    expect(attemptLimits({ ...templateOptions({ ttl: 100 }), delay: 60_000 }, NOW)).toEqual({
      expiresAt: NOW + 60_100,
    });
    expect(attemptLimits(storedOptions(undefined, NOW), NOW)).toEqual({});
    expect(attemptLimits(undefined, NOW)).toEqual({});
  });

  it('lose an expiry that has passed, and nothing else', () => {
    const stored = optionsJson(storedOptions({ ttl: 100, timeout: 5, attempts: 2 }, NOW));

    expect(withoutPassedExpiry(stored, NOW, NOW + 99)).toBe('');
    expect(attemptLimits(JSON.parse(withoutPassedExpiry(stored, NOW, NOW + 100)), NOW)).toEqual({
      timeoutMs: 5,
    });
    expect(JSON.parse(withoutPassedExpiry(stored, NOW, NOW + 100))).toMatchObject({ attempts: 2, kl: 100 });
    expect(withoutPassedExpiry(null, NOW, NOW)).toBe('');
  });
});
