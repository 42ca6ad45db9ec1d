/** This file owns what follows from a thrown error: the one table of retry, delay, fail, return and lost. */
import type { DomainError } from '@sluice/runtime';
import { type JobFailure, writeFailure } from './failure.ts';
import { FAILURE_CODES, type FailureCode } from './schemas.ts';

/** Why a running attempt is aborted; the `code` of `signal.reason`. */
export const ABORT_CODES = ['cancelled', 'timeout', 'shutdown', 'lock_lost'] as const;
export type AbortCode = (typeof ABORT_CODES)[number];

/**
 * - `retry` the attempt counts; next one after the job's backoff, or the job fails when none is left
 * - `delay` the same, after `delayMs`; `maxAttempts` instead of the job's own, when given
 * - `postpone` it did not begin: the job comes again after `delayMs`, and nothing is counted
 * - `fail` the job ends now
 * - `return` back to the head of the queue, and the attempt does not count
 * - `lost` somebody else holds the job: nothing is written
 */
export type Decision =
  | { kind: 'retry'; failure: JobFailure; error: unknown }
  | { kind: 'delay'; delayMs: number; maxAttempts?: number; failure: JobFailure; error: unknown }
  | { kind: 'postpone'; delayMs: number; reason: string }
  | { kind: 'fail'; failure: JobFailure; error: unknown }
  | { kind: 'return' }
  | { kind: 'lost' };

/** `retryAfter` alone leads to `delay`, `postpone` to its own. */
const TABLE: Readonly<Record<AbortCode | FailureCode, Exclude<Decision['kind'], 'delay' | 'postpone'>>> = {
  timeout: 'retry',
  error: 'retry',
  cancelled: 'fail',
  expired: 'fail',
  fatal: 'fail',
  invalid_payload: 'fail',
  invalid_result: 'fail',
  result_too_large: 'fail',
  unknown_job: 'fail',
  max_deliveries: 'fail',
  shutdown: 'return',
  lock_lost: 'lost',
};

/** BullMQ scores a delayed job by its time; beyond a year the score loses its milliseconds. */
const MAX_DELAY_MS = 365 * 86_400_000;
/** Kept with the job and sent through the queue's event stream. */
const MAX_MESSAGE_LENGTH = 2_000;
const MAX_STACK_LENGTH = 4_000;

/** What comes of a failure we name ourselves: an abort, or a refusal. */
export function decide(code: AbortCode | FailureCode, message: string, error?: unknown): Decision {
  const kind = TABLE[code];
  if (kind === 'return' || kind === 'lost') return { kind };
  const failure = { code: FAILURE_CODES.find((known) => known === code) ?? 'error', message };
  return { kind, failure, error };
}

/** What comes of an error that a processor threw: `fatal`, `retryAfter`, `postpone` and an unknown job say more than that it failed. */
export function decideThrown(error: unknown): Decision {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  // By name, not by class: the processor's module may hold its own copy of this package.
  const isOurs = error instanceof Error && error.name === 'DomainError';
  const message = messageOf(error);
  if (isOurs && (code === 'fatal' || code === 'unknown_job')) return decide(code, message, error);
  if (isOurs && code === 'postpone') return { kind: 'postpone', delayMs: delayOf(error), reason: message };
  if (isOurs && code === 'retry_after') {
    const { maxAttempts } = (error as DomainError).details ?? {};
    return {
      kind: 'delay',
      delayMs: delayOf(error),
      ...(typeof maxAttempts === 'number' && { maxAttempts }),
      failure: { code: 'error', message },
      error,
    };
  }
  return decide('error', message, error);
}

/** The same for an attempt that is the last of its job: there is none to come. */
export function lastDecision<D extends Decision>(decision: D): D | Extract<Decision, { kind: 'fail' }> {
  if (decision.kind !== 'retry' && decision.kind !== 'delay') return decision;
  const { failure, error } = decision;
  return { kind: 'fail', failure, error };
}

/** What BullMQ is given for `failedReason` and `stacktrace`; its name keeps it from retrying when the job ends now. */
export function bullError({ failure, error, kind }: Extract<Decision, { failure: JobFailure }>): Error {
  const thrown = new Error(cut(writeFailure(failure), MAX_MESSAGE_LENGTH));
  // BullMQ looks at the name, since an error may come from another process.
  thrown.name = kind === 'fail' ? 'UnrecoverableError' : 'Error';
  thrown.stack =
    failure.code === 'error' && error instanceof Error ? cut(error.stack ?? '', MAX_STACK_LENGTH) : '';
  return thrown;
}

function messageOf(error: unknown): string {
  if (error instanceof Error) return cut(error.message || error.name, MAX_MESSAGE_LENGTH);
  return `the processor threw ${typeof error === 'string' ? cut(error, MAX_MESSAGE_LENGTH) : `a value of type ${typeof error}`}`;
}

function delayOf(error: Error): number {
  const delayMs = Number((error as DomainError).details?.delayMs);
  return Number.isFinite(delayMs) ? Math.min(Math.max(0, Math.round(delayMs)), MAX_DELAY_MS) : 0;
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}
