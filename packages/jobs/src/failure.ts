/** This file owns why a job ended without a result: how a code of `FAILURE_CODES` is kept in BullMQ's `failedReason`. */
import { DomainError } from '@sluice/runtime';
import { FAILURE_CODES, type FailureCode } from './schemas.ts';

export interface JobFailure {
  code: FailureCode;
  message: string;
}

/** What BullMQ keeps as `failedReason`: `{code}: {sentence}`; an ordinary error keeps its own words. */
export function writeFailure({ code, message }: JobFailure): string {
  return code === 'error' ? message : `${code}: ${message}`;
}

/** Reads what `writeFailure` wrote; whatever another producer or worker left there is an `error`. */
export function readFailure(failedReason: string): JobFailure {
  const colon = failedReason.indexOf(': ');
  const code = FAILURE_CODES.find((known) => known === failedReason.slice(0, colon));
  return code === undefined
    ? { code: 'error', message: failedReason }
    : { code, message: failedReason.slice(colon + 2) };
}

/**
 * Thrown by a processor to end the job now, whatever attempts are left:
 *
 *     throw fatal(`the account ${id} is closed`);
 */
export function fatal(message: string, options: { cause?: unknown } = {}): DomainError<'fatal'> {
  return new DomainError('fatal', message, options);
}

/**
 * Thrown by a processor to have the next attempt after `delayMs` instead of the job's backoff, for example what a
 * `Retry-After` asked for. The attempt counts: when none is left the job fails with `message`.
 * `maxAttempts` stands for the job's own number of attempts, for work whose schedule is not the job's.
 */
export function retryAfter(
  delayMs: number,
  message: string,
  { maxAttempts, cause }: { maxAttempts?: number | undefined; cause?: unknown } = {},
): DomainError<'retry_after'> {
  return new DomainError('retry_after', message, {
    details: { delayMs, ...(maxAttempts !== undefined && { maxAttempts }) },
    cause,
  });
}

/**
 * Thrown by a processor that did not begin: the job comes again in `delayMs`, and neither an attempt nor a start is
 * counted. Nothing bounds how often: whoever throws it knows when to stop.
 */
export function postpone(delayMs: number, message: string): DomainError<'postpone'> {
  return new DomainError('postpone', message, { details: { delayMs } });
}
