import type { QueueView } from '@sluice/jobs';
import type { RedisFigures } from '@sluice/redis';
import { type Alert, builtInAlerts } from '@sluice/system';
import { describe, expect, it } from 'vitest';
import { type Counts, counted, countsOf, type Look } from '../../src/alerts/look.ts';
import { findingsOf, sentenceOf } from '../../src/alerts/rules.ts';

function alertOf(rule: Alert['rule'], more: Partial<Alert> = {}): Alert {
  const found = builtInAlerts().find((each) => each.rule === rule);
  if (!found) throw new TypeError(`no alert is built in for ${rule}`);
  return { ...found, ...more };
}

function queue(
  more: Omit<Partial<QueueView>, 'counts'> & { waiting?: number; active?: number } = {},
): QueueView {
  const { waiting = 0, active = 0, ...rest } = more;
  return {
    name: 'mail',
    isPaused: false,
    workers: 1,
    oldestWaitingMs: null,
    due: 0,
    stalled: 0,
    rates: { completedPerMinute: 0, failedPerMinute: 0 },
    counts: { waiting, active, prioritized: 0, delayed: 0, 'waiting-children': 0, completed: 0, failed: 0 },
    ...rest,
  } as QueueView;
}

function figures(more: Partial<RedisFigures>): RedisFigures {
  const none = { memoryUse: null, clientUse: null, keyspaceHits: 0, keyspaceMisses: 0, evictedKeys: 0 };
  return { ...none, ...more } as RedisFigures;
}

function lookAt(more: Partial<Look>): Look {
  return { nowMs: 0, queues: [], reports: [], ...more };
}

/** Subjects found bad. */
function bad(alert: Alert, look: Look, counts: Counts = countsOf(undefined)): string[] {
  return findingsOf(alert, look, counts)
    .filter(({ isBad }) => isBad)
    .map(({ subject }) => subject);
}

describe('the rules of queues', () => {
  it('know a failure rate from five failures on', () => {
    const rate = alertOf('failure_rate');
    const of = (completedPerMinute: number, failedPerMinute: number) =>
      bad(rate, lookAt({ queues: [queue({ rates: { completedPerMinute, failedPerMinute } })] }));

    expect([of(0, 0.8), of(4, 1), of(10, 1)]).toEqual([[], ['mail'], []]);
  });

  it('know the oldest age, unless the queue is held', () => {
    const age = alertOf('oldest_age', { threshold: 10 });

    expect(bad(age, lookAt({ queues: [queue({ oldestWaitingMs: 10_001 })] }))).toEqual(['mail']);
    expect(bad(age, lookAt({ queues: [queue({ oldestWaitingMs: 10_000 })] }))).toEqual([]);
    expect(bad(age, lookAt({ queues: [queue({ oldestWaitingMs: 10_001, isPaused: true })] }))).toEqual([]);
  });

  it('know that nobody takes jobs, not even over HTTP', () => {
    const nobody = alertOf('no_consumer');
    const of = (more: Parameters<typeof queue>[0]) => bad(nobody, lookAt({ queues: [queue(more)] }));

    expect(of({ waiting: 3, workers: 0 })).toEqual(['mail']);
    expect(of({ due: 1, workers: 0 })).toEqual(['mail']);
    expect(of({ waiting: 3, workers: 1 })).toEqual([]);
    expect(of({ waiting: 3, workers: null })).toEqual([]);
    expect(of({ waiting: 3, workers: 0, active: 1 })).toEqual([]);
    expect(of({ waiting: 3, workers: 0, isPaused: true })).toEqual([]);
    expect(of({ waiting: 3, workers: 0, rates: { completedPerMinute: 1, failedPerMinute: 0 } })).toEqual([]);
  });

  it('count what was lost in the last five minutes, from the second look on', () => {
    const stalled = alertOf('stalled');
    const at = (nowMs: number, total: number) => lookAt({ nowMs, queues: [queue({ stalled: total })] });
    const first = counted(countsOf(undefined), at(0, 7));
    const second = counted(first, at(15_000, 9));
    const later = counted(second, at(315_001, 9));

    expect(bad(stalled, at(0, 7), first)).toEqual([]);
    expect(findingsOf(stalled, at(15_000, 9), second)).toEqual([{ subject: 'mail', value: 2, isBad: true }]);
    expect(bad(stalled, at(315_001, 9), later)).toEqual([]);
  });

  it('are asked of the subjects named', () => {
    const age = alertOf('oldest_age', { threshold: 0, subjects: ['mail', 'report*'] });
    const queues = ['mail', 'mails', 'reports'].map((name) => queue({ name, oldestWaitingMs: 1 }));

    expect(bad(age, lookAt({ queues }))).toEqual(['mail', 'reports']);
  });
});

describe('the rules of Redis', () => {
  const report = (connection: string, more: Partial<RedisFigures>) => ({
    connection,
    isUp: true,
    figures: figures(more),
  });

  it('have the thresholds of the page', () => {
    const reports = [
      report('queue', { memoryUse: 0.81, clientUse: 0.8 }),
      report('cache', { memoryUse: 0.8, clientUse: 0.81 }),
    ];

    expect(bad(alertOf('redis_memory'), lookAt({ reports }))).toEqual(['queue']);
    expect(bad(alertOf('redis_clients'), lookAt({ reports }))).toEqual(['cache']);
  });

  it('know which is away, and say nothing else of it', () => {
    const look = lookAt({ reports: [{ connection: 'cache', isUp: false, figures: undefined }] });

    expect(bad(alertOf('redis_down'), look)).toEqual(['cache']);
    expect(findingsOf(alertOf('redis_memory'), look, countsOf(undefined))).toEqual([]);
  });

  it('tell evictions of the Redis of queues from those of others, also when it began anew', () => {
    const at = (nowMs: number, queueTotal: number, cacheTotal: number) =>
      lookAt({
        nowMs,
        reports: [report('queue', { evictedKeys: queueTotal }), report('cache', { evictedKeys: cacheTotal })],
      });
    const first = counted(countsOf(undefined), at(0, 0, 50));
    const second = counted(first, at(15_000, 3, 4));

    const found = (rule: Alert['rule']) => findingsOf(alertOf(rule), at(15_000, 3, 4), second);
    expect(found('redis_queue_evictions')).toEqual([{ subject: 'queue', value: 3, isBad: true }]);
    expect(found('redis_evictions')).toEqual([{ subject: 'cache', value: 4, isBad: true }]);
  });

  it('know a low ratio of hits over five minutes, of a cache with enough reads', () => {
    const at = (nowMs: number, keyspaceHits: number, keyspaceMisses: number) =>
      lookAt({ nowMs, reports: [report('cache', { keyspaceHits, keyspaceMisses })] });
    const first = counted(countsOf(undefined), at(0, 1_000_000, 0));
    const early = counted(first, at(15_000, 1_000_010, 90));
    const later = counted(early, at(300_000, 1_000_010, 90));
    const few = counted(later, at(600_000, 1_000_010, 99));

    const ratio = alertOf('redis_hit_ratio');
    const found = (counts: Counts) => findingsOf(ratio, at(0, 0, 0), counts);
    expect(found(early)).toEqual([]);
    expect(found(later)).toEqual([{ subject: 'cache', value: 0.1, isBad: true }]);
    expect(found(few)).toEqual([]);
    expect(sentenceOf(ratio, 'cache', 0.1)).toBe(
      'The Redis of cache: 10 % of reads found a key, below 50 %.',
    );
  });
});
