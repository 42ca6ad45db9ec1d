/** This file owns what a job of BullMQ is to an attempt: its facts, where it tells to, and how its outcome is said to BullMQ. */
import { type Job as BullJob, DelayedError, WaitingError } from 'bullmq';
import type { AttemptFacts } from './attempt.ts';
import { KEPT_LOG_LINES } from './bull-settings.ts';
import type { AttemptSink } from './context.ts';
import { bullError, type Decision } from './decision.ts';
import { attemptLimits } from './options.ts';

export function factsOf(job: BullJob, queue: string): AttemptFacts {
  const { timeoutMs, expiresAt } = attemptLimits(job.opts, job.timestamp);
  return {
    queue,
    jobId: job.id ?? '',
    name: job.name,
    attempt: job.attemptsMade + 1,
    maxAttempts: Math.max(1, job.opts.attempts ?? 1),
    payload: job.data,
    lostDeliveries: job.stalledCounter,
    isFirstStart: job.attemptsStarted <= 1,
    waitedMs: waitedMs(job),
    timeoutMs,
    expiresAt,
  };
}

/** Of a job that was promoted, nothing; of a parent, with the time of its children. */
function waitedMs({ attemptsStarted, processedOn, timestamp, opts }: BullJob): number | undefined {
  if (attemptsStarted > 1 || processedOn === undefined) return undefined;
  return Math.max(0, processedOn - timestamp - (opts.delay ?? 0));
}

export class JobSink implements AttemptSink {
  readonly #job: BullJob;

  constructor(job: BullJob) {
    this.#job = job;
  }

  async progress(value: unknown): Promise<void> {
    await this.#job.updateProgress(value as object);
  }

  async log(line: string): Promise<void> {
    this.#job.opts.keepLogs ??= KEPT_LOG_LINES;
    await this.#job.log(line);
  }
}

/** Tells BullMQ what came of an attempt without a result, by the error that it knows for it. */
export async function conclude(
  job: BullJob,
  token: string,
  outcome: Decision,
  postpone: (delayMs: number) => Promise<void>,
): Promise<never> {
  switch (outcome.kind) {
    case 'delay':
      // Read by BullMQ when it computes the wait before the next attempt; this instance only, never written back.
      job.opts.backoff = { type: 'fixed', delay: outcome.delayMs };
      if (outcome.maxAttempts !== undefined) job.opts.attempts = outcome.maxAttempts;
      throw bullError(outcome);
    case 'postpone':
      // Like a return, refused or unanswered it is found by whoever looks for lost locks.
      await postpone(outcome.delayMs).catch(() => undefined);
      throw new DelayedError();
    case 'retry':
    case 'fail':
      throw bullError(outcome);
    case 'return':
      // Refused (the lock is gone) or unanswered, the job is found by whoever looks for lost locks.
      await job.moveToWait(token).catch(() => undefined);
      throw new WaitingError();
    case 'lost':
      // To BullMQ the job has gone its own way, which it has.
      throw new WaitingError();
  }
}
