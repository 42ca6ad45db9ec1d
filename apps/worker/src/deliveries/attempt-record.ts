/** This file owns what is told of one attempt of a delivery: in the job's log, its result, and its callbacks. */
import type { KeptAnswer } from '../processors/kept-answer.ts';

export interface AttemptRecord {
  attempt: number;
  /** ISO 8601. */
  at: string;
  /** `null` without an answer. */
  status: number | null;
  duration_ms: number;
  /** `null` when it was delivered. */
  error: string | null;
  /** `null` without an answer. */
  response: KeptAnswer | null;
}

/** The result of a delivery's job. */
export interface DeliveryResult extends KeptAnswer {
  status: number;
  duration_ms: number;
}

/** The cause of what ends an attempt that failed. */
export class FailedAttempt extends Error {
  readonly record: AttemptRecord;

  constructor(record: AttemptRecord) {
    super(record.error ?? 'failed');
    this.name = 'FailedAttempt';
    this.record = record;
  }
}
