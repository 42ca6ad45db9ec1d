/** This file owns why a job ended without a result: the closed list of codes, and how a code is kept in BullMQ's `failedReason`. */
import { DomainError } from '@sluice/runtime';

/**
 * - `expired` not started before its `expires_at`
 * - `cancelled` somebody asked for it
 * - `timeout` the last attempt ran longer than allowed
 * - `invalid_payload` `invalid_result` does not fit the job's schema, or is not JSON
 * - `result_too_large` above the job's `maxResultBytes`
 * - `unknown_job` no processor of that name where the queue is served
 * - `max_deliveries` handed out again and again without an outcome: it takes its worker down, or outlives its lock
 * - `fatal` the processor said that another attempt cannot help
 * - `error` anything else a processor threw
 */
export const FAILURE_CODES = [
  'expired',
  'cancelled',
  'timeout',
  'invalid_payload',
  'invalid_result',
  'result_too_large',
  'unknown_job',
  'max_deliveries',
  'fatal',
  'error',
] as const;
export type FailureCode = (typeof FAILURE_CODES)[number];

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
 */
export function retryAfter(delayMs: number, message: string): DomainError<'retry_after'> {
  return new DomainError('retry_after', message, { details: { delayMs } });
}
