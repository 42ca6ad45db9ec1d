import { expect, it } from 'vitest';
import { type Evidence, judge } from './checker.ts';
import type { Entry } from './ledger.ts';

const ENTRY: Entry = {
  ...{ key: 'a', kind: 'single', queue: 'work', class: 'ok', ids: ['j_1'], answer: '201' },
  ...{ sentAt: 1_000, answeredAt: 1_010, delayMs: 0, tries: 1 },
};
const EVIDENCE: Evidence = {
  entries: [ENTRY],
  effects: new Map([['a', { calls: [1_020], jobs: new Set(['j_1']) }]]),
  audit: { jobs: 1, counts: { completed: 1 }, failed: [], faults: [], faultCount: 0 },
  ...{ answersMs: [10], answers: { 201: 1 }, isCutOffExpected: false },
  ...{ crashes: 0, settledSeconds: 1 },
};
const effect = (...jobs: string[]) => ({ calls: jobs.map((_, index) => 1_020 + index), jobs: new Set(jobs) });

function broken(changed: Partial<Evidence>): string[] {
  return judge({ ...EVIDENCE, ...changed })
    .invariants.filter(({ holds }) => !holds)
    .map(({ id }) => id);
}

it('finds nothing where all is well, repetitions included', () => {
  expect(broken({})).toEqual([]);
  expect(broken({ effects: new Map([['a', { calls: [1_020, 31_000], jobs: new Set(['j_1']) }]]) })).toEqual(
    [],
  );
});

it.for([
  ['a job that was acknowledged and not done', { effects: new Map() }, 'I1'],
  ['an effect of nobody', { effects: new Map([...EVIDENCE.effects, ['b', effect('j_2')]]) }, 'I2'],
  ['an effect of a job that was refused', { entries: [{ ...ENTRY, class: 'fail' as const }] }, 'I3'],
  ['two jobs of one key, told by answers', { entries: [{ ...ENTRY, ids: ['j_1', 'j_2'] }] }, 'I4'],
  ['two jobs of one key, told by effects', { effects: new Map([['a', effect('j_1', 'j_2')]]) }, 'I4'],
  ['a failed job', { audit: { ...EVIDENCE.audit, failed: [{ id: 'j_1', reason: 'stalled' }] } }, 'I5'],
  ['a job in two places', { audit: { ...EVIDENCE.audit, faults: ['j_1'], faultCount: 1 } }, 'I6'],
  ['a late answer', { answersMs: [10, 2_001] }, 'I7'],
  ['an answer that was cut off', { answers: { ECONNRESET: 1 } }, 'I7'],
  ['a process that ended', { crashes: 1 }, 'I8'],
  ['jobs that never come to rest', { settledSeconds: undefined }, 'I8'],
] satisfies [string, Partial<Evidence>, string][])('finds %s', ([, changed, id]) => {
  expect(broken(changed)).toEqual([id]);
});

it('lets a job whose caller was told nothing be done or not', () => {
  const entries = [{ ...ENTRY, class: 'unknown' as const }];

  expect(broken({ entries })).toEqual([]);
  expect(broken({ entries, effects: new Map() })).toEqual([]);
});
