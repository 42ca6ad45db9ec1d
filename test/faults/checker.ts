/**
 * This file owns the verdict: ledger, sink and store beside each other, once all has healed and come to rest.
 *
 *   ledger: what callers were told       sink: what was done       store: what is left
 */
import type { Audit } from './audit.ts';
import type { Entry } from './ledger.ts';
import type { Effect } from './sink.ts';

/** What is promised of any answer. */
export const ANSWER_LIMIT_MS = 2_000;

export interface Evidence {
  entries: readonly Entry[];
  effects: ReadonlyMap<string, Effect>;
  audit: Audit;
  /** Of every try. */
  answersMs: readonly number[];
  answers: Readonly<Record<string, number>>;
  /** Requests may be cut off, because what answers them was killed. */
  isCutOffExpected: boolean;
  /** Processes of ours that ended by themselves. */
  crashes: number;
  /** Seconds from the last fault until nothing waited or ran; `undefined`: never within the time allowed. */
  settledSeconds: number | undefined;
}

export interface Invariant {
  id: 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8';
  says: string;
  holds: boolean;
  found: string;
}

export interface Verdict {
  acknowledged: number;
  unknown: number;
  refused: number;
  effects: number;
  lost: number;
  /** Calls of the sink beyond the first of each key. */
  repeated: number;
  /** From acknowledgement (and delay) to effect, in milliseconds. */
  latencyMs: Quantiles;
  /** From the first call of a key to the second: how long until a job is handed out again. */
  redeliveryMs: Quantiles;
  answerMs: Quantiles;
  answers: Readonly<Record<string, number>>;
  settledSeconds: number | undefined;
  invariants: readonly Invariant[];
}

export interface Quantiles {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

export function judge(evidence: Evidence): Verdict {
  const { entries, effects, audit } = evidence;
  const byClass = (name: Entry['class']) => entries.filter((entry) => entry.class === name);
  const [ok, refused, unknown] = [byClass('ok'), byClass('fail'), byClass('unknown')];
  const told = new Map(entries.map((entry) => [entry.key, entry]));
  const lost = ok.filter(({ key }) => !effects.has(key));
  const phantoms = [...effects.keys()].filter((key) => !told.has(key));
  const done = refused.filter(({ key }) => effects.has(key));
  const twins = entries.filter(({ key, ids }) => {
    const jobs = new Set([...ids, ...(effects.get(key)?.jobs ?? [])]);
    return jobs.size > 1;
  });
  const late = evidence.answersMs.filter((ms) => ms > ANSWER_LIMIT_MS).length;
  const cutOff = Object.entries(evidence.answers).filter(([code]) => !/^\d/.test(code));
  const cutOffCount = cutOff.reduce((sum, [, count]) => sum + count, 0);
  const isAnswered = late === 0 && (cutOffCount === 0 || evidence.isCutOffExpected);
  const answerMs = quantiles(evidence.answersMs);
  const calls = [...effects.values()].map((effect) => effect.calls.toSorted((a, b) => a - b));
  const settled = evidence.settledSeconds;
  const invariant = (id: Invariant['id'], says: string, holds: boolean, found: string): Invariant => ({
    ...{ id, says, holds, found },
  });
  return {
    acknowledged: ok.length,
    unknown: unknown.length,
    refused: refused.length,
    effects: effects.size,
    lost: lost.length,
    repeated: calls.reduce((sum, { length }) => sum + length - 1, 0),
    latencyMs: quantiles(ok.flatMap((entry) => latenessOf(entry, effects.get(entry.key)))),
    redeliveryMs: quantiles(
      calls.flatMap(([first, second]) => (second === undefined ? [] : [second - (first as number)])),
    ),
    answerMs,
    answers: evidence.answers,
    settledSeconds: settled,
    invariants: [
      invariant(
        'I1',
        'what was acknowledged was done',
        lost.length === 0,
        `${lost.length} lost${some(lost)}`,
      ),
      invariant(
        'I2',
        'nothing was done that nobody asked for',
        phantoms.length === 0,
        `${phantoms.length} phantoms`,
      ),
      invariant(
        'I3',
        'nothing was done that was refused',
        done.length === 0,
        `${done.length} done${some(done)}`,
      ),
      invariant(
        'I4',
        'one job and one effect for each idempotency key',
        twins.length === 0,
        `${twins.length} keys with several jobs${some(twins)}`,
      ),
      invariant(
        'I5',
        'no acknowledged job failed for what happened around it',
        audit.failed.length === 0,
        `${audit.failed.length} failed${audit.failed[0] ? `, the first for '${audit.failed[0].reason}'` : ''}`,
      ),
      invariant(
        'I6',
        'every job in exactly one place, none waits, no lock is left',
        audit.faultCount === 0,
        `${audit.jobs} jobs kept, ${audit.faultCount} faults${audit.faults[0] ? `, the first: ${audit.faults[0]}` : ''}`,
      ),
      invariant(
        'I7',
        `every request answered within ${ANSWER_LIMIT_MS} ms`,
        isAnswered,
        `slowest ${Math.round(answerMs.max)} ms, ${late} late, ${cutOffCount} cut off`,
      ),
      invariant(
        'I8',
        'recovered, and no process ended by itself',
        evidence.crashes === 0 && settled !== undefined,
        `${evidence.crashes} ended, ${settled === undefined ? 'never at rest' : `at rest after ${settled.toFixed(1)} s`}`,
      ),
    ],
  };
}

/** From when it could have been done to when it was. */
function latenessOf({ answeredAt, delayMs }: Entry, effect: Effect | undefined): number[] {
  if (!effect) return [];
  return [Math.max(0, Math.min(...effect.calls) - answeredAt - delayMs)];
}

function some(entries: readonly Entry[]): string {
  if (entries.length === 0) return '';
  return `: ${entries
    .slice(0, 3)
    .map(({ key, kind, ids }) => `${key} (${kind}, ${ids.join(' ') || 'no id'})`)
    .join(', ')}`;
}

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}
