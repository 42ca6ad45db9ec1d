/** This file owns what a receiver's answer means for a delivery. */

/**
 * - `delivered` 2xx
 * - `retry` 3xx (nothing is followed), 408, 409, 425, 429, 5xx: another attempt may do
 * - `final` any other 4xx: the request itself is refused
 * - `gone` 410: nobody is there any more, and will not be
 */
export type Verdict = 'delivered' | 'retry' | 'final' | 'gone';

/** Timed out, in conflict with another request, too early, too many. */
const WORTH_ANOTHER_TRY: readonly number[] = [408, 409, 425, 429];
/** A proxy answers for a host that does not. */
const NOBODY_BEHIND: readonly number[] = [502, 503, 504];

export function judgeStatus(status: number): Verdict {
  if (status >= 200 && status < 300) return 'delivered';
  if (status === 410) return 'gone';
  return status >= 400 && status < 500 && !WORTH_ANOTHER_TRY.includes(status) ? 'final' : 'retry';
}

/** Whether the host itself has answered, for its circuit breaker. */
export function isAnsweredByHost(status: number): boolean {
  return !NOBODY_BEHIND.includes(status);
}
