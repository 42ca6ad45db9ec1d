/** This file owns how many jobs of a queue were done in each of the last minutes, as BullMQ's workers count them. */
import type { RedisClient } from '@sluice/redis';
import type { QueueKeys } from './keys.ts';
import { metricsKeys } from './keys.ts';

/** Workers keep so many. */
export const HISTORY_MINUTES = 60;

/** Whole minutes, the oldest first; both of `HISTORY_MINUTES`. */
export interface QueueHistory {
  completed: number[];
  failed: number[];
}

/** BullMQ's `metrics:<state>`: all so far, when it last wrote a minute, and how many there were then. */
export interface Totals {
  count: string | null;
  previousAt: string | null;
  previousCount: string | null;
}

export async function queueHistory(client: RedisClient, keys: QueueKeys, now: number): Promise<QueueHistory> {
  const [completed, failed] = await Promise.all([
    minutesOf(client, keys, 'completed', now),
    minutesOf(client, keys, 'failed', now),
  ]);
  return { completed, failed };
}

/**
 * The last whole minutes, the youngest first, as far as they are known.
 *
 * BullMQ writes a minute's count when the first job of a later minute finishes, so what happened since is in no list yet:
 * it all happened in the minute of `previousAt`, unless that is the current one.
 */
export function wholeMinutes(totals: Totals, minutes: readonly string[], now: number): number[] {
  const { count, previousAt, previousCount } = totals;
  if (previousAt === null) return [];
  const minutesAgo = Math.floor(now / 60_000) - Math.floor(Number(previousAt) / 60_000);
  const perMinute = minutes.map(Number);
  const sinceThen = Math.max(0, Number(count ?? 0) - Number(previousCount ?? 0));
  if (minutesAgo <= 0) return perMinute;
  const silent = Math.min(minutesAgo - 1, HISTORY_MINUTES);
  return [...Array<number>(silent).fill(0), sinceThen, ...perMinute];
}

async function minutesOf(
  client: RedisClient,
  keys: QueueKeys,
  state: 'completed' | 'failed',
  now: number,
): Promise<number[]> {
  const { totals, perMinute } = metricsKeys(keys, state);
  const [[count = null, previousAt = null, previousCount = null], minutes] = await Promise.all([
    client.hmget(totals, 'count', 'prevTS', 'prevCount'),
    client.lrange(perMinute, 0, HISTORY_MINUTES - 1),
  ]);
  const known = wholeMinutes({ count, previousAt, previousCount }, minutes, now).slice(0, HISTORY_MINUTES);
  return [...known, ...Array<number>(HISTORY_MINUTES - known.length).fill(0)].reverse();
}
