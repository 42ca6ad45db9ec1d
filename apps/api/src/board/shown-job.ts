/** This file owns a job as Bull Board gets it: its actions, and of its payload what may be shown. */
import type { JobRetryStatus, JobState, QueueJob, QueueJobJson } from '@bull-board/api/typings/app';
import type { ErrorCode } from '@sluice/contract';
import type { Jobs } from '@sluice/jobs';
import { DomainError } from '@sluice/runtime';
import { isRefusal, type Job } from './bullmq.ts';
import { defined } from './defined.ts';
import type { Redaction, Shown } from './redaction.ts';

export class ShownJob implements QueueJob {
  /** The scheduler that made it. */
  readonly repeatJobKey?: string;
  readonly #job: Job;
  readonly #redaction: Redaction;
  readonly #jobs: Pick<Jobs, 'remove'>;
  #json: QueueJobJson | undefined;

  constructor(job: Job, redaction: Redaction, jobs: Pick<Jobs, 'remove'>) {
    this.#jobs = jobs;
    if (job.repeatJobKey !== undefined) this.repeatJobKey = job.repeatJobKey;
    this.#job = job;
    this.#redaction = redaction;
  }

  get id(): string | undefined {
    return this.#job.id;
  }

  get name(): string {
    return this.toJSON().name;
  }

  get progress(): QueueJobJson['progress'] {
    return this.toJSON().progress;
  }

  get queueName(): string {
    return this.#job.queueName;
  }

  get queueQualifiedName(): string {
    return this.#job.queueQualifiedName;
  }

  /** Only what Bull Board decides by; what it shows is in `toJSON`. */
  get opts(): { delay?: number | undefined; parent?: { id: string; queue: string } | undefined } {
    const { delay, parent } = this.#job.opts;
    return { delay, parent: parent && { id: parent.id, queue: parent.queue } };
  }

  toJSON(): QueueJobJson {
    this.#json ??= showJob(this.#job, shownOf(this.#job, this.#redaction));
    return this.#json;
  }

  getState(): Promise<JobState> {
    return this.#job.getState();
  }

  promote(): Promise<void> {
    return unlessMoved(this.#job, this.#job.promote());
  }

  remove(): Promise<void> {
    return this.#jobs.remove(this.#job.queueName, this.#job.id as string);
  }

  retry(state: JobRetryStatus = 'failed'): Promise<void> {
    return unlessMoved(this.#job, retryAnew(this.#job, state));
  }

  changeDelay(delay: number): Promise<void> {
    return unlessMoved(this.#job, this.#job.changeDelay(delay));
  }

  changePriority(opts: { priority?: number; lifo?: boolean }): Promise<void> {
    return unlessMoved(this.#job, this.#job.changePriority(opts));
  }

  removeUnprocessedChildren(): Promise<void> {
    return this.#job.removeUnprocessedChildren();
  }

  getDependenciesCount(
    opts?: Parameters<Job['getDependenciesCount']>[0],
  ): ReturnType<Job['getDependenciesCount']> {
    return this.#job.getDependenciesCount(opts);
  }

  /** Why children failed that their parent did not mind, by job key. */
  async getIgnoredChildrenFailures(): Promise<Record<string, string>> {
    const shown = shownOf(this.#job, this.#redaction);
    const reasons = Object.entries(await this.#job.getIgnoredChildrenFailures());
    return Object.fromEntries(reasons.map(([key, reason]) => [key, shown.text('failedReason', reason)]));
  }
}

/** What BullMQ refuses, since the job is not where the page showed it, is `job_not_in_state`. */
async function unlessMoved({ id }: Job, act: Promise<void>): Promise<void> {
  try {
    await act;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const message = `Job ${id} has moved since it was shown, or is gone; look again.`;
    throw new DomainError<ErrorCode>('job_not_in_state', message, { cause: error });
  }
}

/** A job that a person retries begins anew: its attempts are counted from none. */
export function retryAnew(job: Job, state: JobRetryStatus): Promise<void> {
  return job.retry(state, { resetAttemptsMade: true, resetAttemptsStarted: true });
}

/** What may be shown of a job, and of texts that belong to it. */
export function shownOf(job: Job, redaction: Redaction): Shown {
  const { data, returnvalue, progress, opts } = job;
  return redaction.of({ data, returnvalue, progress, opts });
}

function showJob(job: Job, shown: Shown): QueueJobJson {
  const text = (field: string, value: string | undefined) => value && shown.text(field, value);
  return {
    id: job.id,
    name: shown.text('name', job.name),
    data: shown.value('data'),
    opts: shown.value('opts'),
    returnvalue: shown.value('returnvalue'),
    progress: shown.value('progress') as QueueJobJson['progress'],
    failedReason: shown.text('failedReason', job.failedReason ?? ''),
    stacktrace: (job.stacktrace ?? []).map((trace) => shown.text('stacktrace', trace ?? '')),
    timestamp: job.timestamp,
    attemptsMade: job.attemptsMade,
    attemptsStarted: job.attemptsStarted,
    stalledCounter: job.stalledCounter,
    delay: job.delay,
    priority: job.priority,
    ...defined({
      finishedOn: job.finishedOn,
      processedOn: job.processedOn,
      processedBy: text('processedBy', job.processedBy),
      parentKey: job.parentKey,
      repeatJobKey: job.repeatJobKey,
      deduplicationId: text('deduplicationId', job.deduplicationId),
      deferredFailure: text('failedReason', job.deferredFailure),
    }),
  };
}
