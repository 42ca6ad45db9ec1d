/** This file owns what each rule of alerts measures, and of what: one row a rule. */
import type { QueueView } from '@sluice/jobs';
import type { RedisFigures } from '@sluice/redis';
import type { Alert } from '@sluice/system';
import { type Counts, evictedKey, type Look, recentOf, stalledKey } from './look.ts';

export interface Finding {
  /** A queue or a connection to Redis. */
  subject: string;
  value: number;
  isBad: boolean;
}

type Rule = Alert['rule'];
type Measure = (look: Look, counts: Counts) => readonly (readonly [subject: string, value: number])[];

/** Fewer are chance. */
const MIN_FAILURES = 5;
/** As `rates` of a queue are told. */
const RATE_MINUTES = 5;

const MEASURES: Readonly<Record<Rule, Measure>> = {
  failure_rate: ofQueues(({ rates: { completedPerMinute, failedPerMinute } }) =>
    failedPerMinute * RATE_MINUTES < MIN_FAILURES
      ? 0
      : failedPerMinute / (failedPerMinute + completedPerMinute),
  ),
  oldest_age: ofQueues(({ isPaused, oldestWaitingMs }) => (isPaused ? 0 : (oldestWaitingMs ?? 0) / 1_000)),
  no_consumer: ofQueues(waitingAlone),
  stalled: ofQueues(({ name }, { nowMs }, counts) => recentOf(counts, stalledKey(name), nowMs)),
  redis_down: ({ reports }) => reports.map(({ connection, isUp }) => [connection, isUp ? 0 : 1] as const),
  redis_memory: ofFigures(({ memoryUse }) => memoryUse ?? 0),
  redis_clients: ofFigures(({ clientUse }) => clientUse ?? 0),
  redis_hit_ratio: ofFigures((_, connection, __, counts) =>
    connection.startsWith('cache') ? (counts.reads[connection]?.ratio ?? undefined) : undefined,
  ),
  redis_evictions: ofFigures((_, connection, { nowMs }, counts) =>
    connection === 'queue' ? undefined : recentOf(counts, evictedKey(connection), nowMs),
  ),
  redis_queue_evictions: ofFigures((_, connection, { nowMs }, counts) =>
    connection === 'queue' ? recentOf(counts, evictedKey(connection), nowMs) : undefined,
  ),
};

/** What an alert finds of each of its subjects; of one that Redis does not tell of, nothing. */
export function findingsOf({ rule, subjects, threshold }: Alert, look: Look, counts: Counts): Finding[] {
  return MEASURES[rule](look, counts)
    .filter(([subject]) => subjects.some((pattern) => isMeant(pattern, subject)))
    .map(([subject, value]) => ({
      subject,
      value,
      isBad: rule === 'redis_hit_ratio' ? value < threshold : value > threshold,
    }));
}

/** For a person, with the values in it. */
export function sentenceOf({ rule, threshold }: Alert, subject: string, value: number): string {
  const percent = (share: number) => `${Math.round(share * 1_000) / 10} %`;
  switch (rule) {
    case 'failure_rate':
      return `Queue ${subject}: ${percent(value)} of the jobs that ended in the last 5 minutes failed for good, above ${percent(threshold)}.`;
    case 'oldest_age':
      return `Queue ${subject}: a job has waited for ${Math.round(value)} s, longer than ${threshold} s.`;
    case 'no_consumer':
      return `Queue ${subject}: ${value} jobs wait and nobody takes them.`;
    case 'stalled':
      return `Queue ${subject}: ${value} jobs were lost by their worker in the last 5 minutes and handed out again.`;
    case 'redis_down':
      return `The Redis of ${subject} ${value > 0 ? 'does not answer' : 'answers'}.`;
    case 'redis_memory':
      return `The Redis of ${subject} uses ${percent(value)} of its memory, above ${percent(threshold)}.`;
    case 'redis_clients':
      return `The Redis of ${subject} has ${percent(value)} of the connections it allows, above ${percent(threshold)}.`;
    case 'redis_hit_ratio':
      return `The Redis of ${subject}: ${percent(value)} of reads found a key, below ${percent(threshold)}.`;
    case 'redis_evictions':
      return `The Redis of ${subject} dropped ${value} keys for want of memory in the last 5 minutes.`;
    case 'redis_queue_evictions':
      return `The Redis of queues dropped ${value} keys in the last 5 minutes: jobs are being lost. Set maxmemory-policy noeviction.`;
  }
}

function waitingAlone({ isPaused, counts, due, workers, rates }: QueueView): number {
  const isServed = workers !== 0 || counts.active > 0 || rates.completedPerMinute + rates.failedPerMinute > 0;
  return isPaused || isServed ? 0 : counts.waiting + counts.prioritized + due;
}

function ofQueues(measure: (queue: QueueView, look: Look, counts: Counts) => number): Measure {
  return (look, counts) =>
    (look.queues ?? []).map((queue) => [queue.name, measure(queue, look, counts)] as const);
}

/** `undefined`: the rule is not about this connection, or nothing is known. */
function ofFigures(
  measure: (figures: RedisFigures, connection: string, look: Look, counts: Counts) => number | undefined,
): Measure {
  return (look, counts) =>
    look.reports.flatMap(({ connection, figures }) => {
      const value = figures && measure(figures, connection, look, counts);
      return value === undefined ? [] : [[connection, value] as const];
    });
}

function isMeant(pattern: string, subject: string): boolean {
  return pattern.endsWith('*') ? subject.startsWith(pattern.slice(0, -1)) : pattern === subject;
}
