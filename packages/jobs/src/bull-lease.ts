/** This file owns what BullMQ itself is told of a leased job: a failed attempt, the end of a child or parent, the next job of its scheduler. */
import { Backoffs, Job as BullJob, JobScheduler } from 'bullmq';
import type { BatchingBackend } from './bullmq.ts';
import { bullError, type Decision } from './decision.ts';
import type { JobFailure } from './failure.ts';
import type { JobState } from './schemas.ts';

/** A job whose lock is ours. */
export interface HeldJob {
  id: string;
  token: string;
  /** As it is stored. */
  optsJson: string;
  attemptsMade: number;
  /** JSON array of the attempts before, as it is stored. */
  stacksJson: string | null;
}

export type FailedDecision = Extract<Decision, { failure: JobFailure }>;

type RepeatOptions = Parameters<JobScheduler['upsertJobScheduler']>[1];

/** Where the token is kept under which a job was last settled: the same call again is told from a stale one by it. */
const SETTLED_BY = 'sluice:lease';

/** Ends an attempt without a result, by BullMQ's own scripts. Rejects with a `bullCode` when the lock is no longer ours. */
export async function failAttempt(
  backend: BatchingBackend,
  job: HeldJob,
  decision: FailedDecision,
): Promise<JobState> {
  const { id, token } = job;
  const opts = BullJob.optsFromJSON(job.optsJson);
  const { message, stack } = bullError(decision);
  const fieldsToUpdate = {
    failedReason: message,
    stacktrace: JSON.stringify(withStack(job.stacksJson, stack, opts.stackTraceLimit)),
    [SETTLED_BY]: token,
  };
  if (decision.kind === 'fail') {
    const failed = { id, opts } as Parameters<BatchingBackend['moveToFailed']>[0];
    const keep = opts.removeOnFail ?? false;
    await backend.moveToFailed(failed, message, keep, token, false, fieldsToUpdate);
    return 'failed';
  }
  const delayMs = decision.kind === 'delay' ? decision.delayMs : await backoffMs(opts.backoff, job);
  if (delayMs > 0) {
    await backend.moveToDelayed(id, Date.now(), delayMs, token, { fieldsToUpdate });
    return 'delayed';
  }
  await backend.retryJob(id, opts.lifo ?? false, token, { fieldsToUpdate });
  return opts.priority ? 'prioritized' : 'waiting';
}

/** Completes a job that has a family or a deduplication id. Rejects as `failAttempt` does. */
export async function completeByBullMq(
  backend: BatchingBackend,
  { id, token, optsJson }: HeldJob,
  result: string,
): Promise<void> {
  const opts = BullJob.optsFromJSON(optsJson);
  await backend.complete({ id, opts }, result, token, { [SETTLED_BY]: token });
}

/** Makes the next job of a scheduler whose job has been taken, as BullMQ's worker does. Once for each job, however often it is taken. */
export async function scheduleNext(
  backend: BatchingBackend,
  job: { id: string; name: string; optsJson: string; scheduler: string },
): Promise<void> {
  const opts: ReturnType<typeof BullJob.optsFromJSON> & { repeat?: RepeatOptions } = BullJob.optsFromJSON(
    job.optsJson,
  );
  if (!opts.repeat) return;
  // One of its own: BullMQ's class listens to the backend it is given.
  const own = backend.forQueue(backend.queueName);
  const scheduler = new JobScheduler(backend.queueName, { connection: {} }, () => own);
  // The template's data is the scheduler's own: what stands here is not written.
  await scheduler.upsertJobScheduler(job.scheduler, opts.repeat, job.name, {}, opts, {
    override: false,
    producerId: job.id,
  });
}

function withStack(json: string | null, stack: string | undefined, limit: number | undefined): string[] {
  const stacks = json === null ? [] : (JSON.parse(json) as string[]);
  if (!stack) return stacks;
  if (limit === 0) return [];
  return limit ? [...stacks, stack].slice(-limit) : [...stacks, stack];
}

/** A strategy of a stock worker's own is not known here: the next attempt follows at once. */
async function backoffMs(backoff: number | { type: string } | undefined, job: HeldJob): Promise<number> {
  const normal = Backoffs.normalize(backoff as Parameters<typeof Backoffs.normalize>[0]);
  if (!normal || !(normal.type in Backoffs.builtinStrategies)) return 0;
  const attempt = job.attemptsMade + 1;
  return (await Backoffs.calculate(normal, attempt, new Error(), {} as BullJob)) ?? 0;
}
