/** This file owns one look at everything that alerts are about, and what has been counted between looks. */
import type { QueueView } from '@sluice/jobs';
import type { ConnectionReport } from '../metrics/redis-metrics.ts';

export interface Look {
  nowMs: number;
  /** `undefined`: Redis did not tell. */
  queues: readonly QueueView[] | undefined;
  reports: readonly ConnectionReport[];
}

/** Of one look, for the next one: JSON. */
export interface Counts {
  /** By what is counted: `stalled` and queue, `evicted` and connection. */
  growth: Record<string, Growth>;
  /** By connection. */
  reads: Record<string, Reads>;
}

interface Growth {
  /** As it stood. */
  total: number;
  /** What was added since the window began that `grewAtMs` is in. */
  recent: number;
  grewAtMs: number;
}

interface Reads {
  hits: number;
  misses: number;
  atMs: number;
  /** Of the window before; `null`: too few to say. */
  ratio: number | null;
}

/** "In the last five minutes." */
export const WINDOW_MS = 300_000;
/** Fewer tell nothing of a ratio. */
const MIN_READS = 100;

/** What Redis has from another version, or nobody, is as if nothing had been counted. */
export function countsOf(given: unknown): Counts {
  const { growth, reads } = (given ?? {}) as Partial<Counts>;
  return { growth: growth ?? {}, reads: reads ?? {} };
}

/** The counts after this look; what it did not tell stays as it was, what is gone is forgotten. */
export function counted(before: Counts, { nowMs, queues, reports }: Look): Counts {
  const growth: Counts['growth'] = {};
  const grow = (key: string, total: number) => {
    growth[key] = grown(before.growth[key], total, nowMs);
  };
  if (queues) for (const { name, stalled } of queues) grow(stalledKey(name), stalled);
  else keep(before.growth, growth, stalledKey(''));
  const reads: Counts['reads'] = {};
  for (const { connection, figures } of reports) {
    const key = evictedKey(connection);
    const known = before.growth[key];
    const readBefore = before.reads[connection];
    if (figures) {
      grow(key, figures.evictedKeys);
      reads[connection] = readOn(readBefore, figures.keyspaceHits, figures.keyspaceMisses, nowMs);
    } else {
      if (known) growth[key] = known;
      if (readBefore) reads[connection] = readBefore;
    }
  }
  return { growth, reads };
}

/** What was added in the last window. */
export function recentOf({ growth }: Counts, key: string, nowMs: number): number {
  const known = growth[key];
  return known && nowMs - known.grewAtMs <= WINDOW_MS ? known.recent : 0;
}

export function stalledKey(queue: string): string {
  return `stalled ${queue}`;
}

export function evictedKey(connection: string): string {
  return `evicted ${connection}`;
}

/** The first look knows no change. A total that is smaller than before began anew: all of it was added. */
function grown(before: Growth | undefined, total: number, nowMs: number): Growth {
  if (!before) return { total, recent: 0, grewAtMs: 0 };
  const added = total >= before.total ? total - before.total : total;
  if (added === 0) return { ...before, total };
  const isSameWindow = nowMs - before.grewAtMs <= WINDOW_MS;
  return { total, recent: isSameWindow ? before.recent + added : added, grewAtMs: nowMs };
}

function readOn(before: Reads | undefined, hits: number, misses: number, nowMs: number): Reads {
  const isNew = !before || hits < before.hits || misses < before.misses;
  if (isNew) return { hits, misses, atMs: nowMs, ratio: null };
  if (nowMs - before.atMs < WINDOW_MS) return before;
  const all = hits - before.hits + (misses - before.misses);
  return { hits, misses, atMs: nowMs, ratio: all < MIN_READS ? null : (hits - before.hits) / all };
}

function keep(from: Counts['growth'], to: Counts['growth'], prefix: string): void {
  for (const [key, value] of Object.entries(from)) if (key.startsWith(prefix)) to[key] = value;
}
