/** This file owns when a delivery is tried again: its schedule, jitter, and what the receiver asks for. */
import { DomainError, parseDuration } from '@sluice/runtime';
import type { DeliveryErrorCode } from './schemas.ts';

/** A receiver may ask for more; a delivery that waits longer looks lost. */
const MAX_RETRY_AFTER_MS = 86_400_000;
/** `Retry-After: 0` is no invitation to spend all attempts at once. */
const MIN_RETRY_AFTER_MS = 1_000;
const MAX_SCHEDULE_MS = 60 * 86_400_000;

/** Milliseconds before each attempt. Throws `delivery_invalid` when all together are more than 60 days. */
export function readSchedule(schedule: readonly (number | string)[]): number[] {
  const waits = schedule.map((wait) =>
    typeof wait === 'number' ? wait : (parseDuration(wait) ?? Number.POSITIVE_INFINITY),
  );
  if (waits.reduce((sum, wait) => sum + wait, 0) > MAX_SCHEDULE_MS)
    throw new DomainError<DeliveryErrorCode>('delivery_invalid', 'schedule: its waits are more than 60 days');
  return waits;
}

/**
 * Milliseconds until the attempt after `attempt` (1 the first); `undefined` when that was the last. What the receiver
 * asked for goes before the schedule, and is never shortened by jitter. `random` is from 0 to 1.
 */
export function nextWaitMs({
  schedule,
  jitter,
  attempt,
  retryAfterMs,
  random = Math.random(),
}: {
  schedule: readonly number[];
  jitter: number;
  attempt: number;
  retryAfterMs: number | undefined;
  random?: number | undefined;
}): number | undefined {
  const scheduledMs = schedule[attempt];
  if (scheduledMs === undefined) return undefined;
  if (retryAfterMs === undefined) return Math.round(scheduledMs * (1 + jitter * (2 * random - 1)));
  const wantedMs = Math.max(retryAfterMs, Math.min(scheduledMs, MIN_RETRY_AFTER_MS));
  return Math.round(Math.min(wantedMs, MAX_RETRY_AFTER_MS) * (1 + jitter * random));
}

/** RFC 9110 §10.2.3: seconds, or a date. Milliseconds from `now`, never below 0; `undefined` when it is neither. */
export function readRetryAfter(value: string | undefined, now: number = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const waitMs = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : undefined;
}
