/** This file owns what is done to one job that exists: run again, run now, stopped, removed, changed, its log read. */
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { bullCode } from './bull-code.ts';
import { CANCELLED_REASON } from './cancel.ts';
import { check, dataText } from './data.ts';
import { isJobId } from './keys.ts';
import { withoutPassedExpiry } from './options.ts';
import type { OpenQueue, Queues } from './queues.ts';
import type { Reader } from './reads.ts';
import { type JobState, type JobsErrorCode, jobPatchSchema } from './schemas.ts';
import { cancelJob, resetJobs, updateData } from './scripts.ts';
import { type JobView, viewJob } from './view.ts';

/** `removed`: it did not run, and is gone · `cancelling`: it runs, and is told within a second. */
export type CancelOutcome = { kind: 'removed' } | { kind: 'cancelling' };

export interface JobPatch {
  /** Any JSON; `JsonText` is stored as it is written. */
  data?: unknown;
  /** From now on, in milliseconds; of a delayed job only. */
  delay?: number | undefined;
  priority?: number | undefined;
}

export interface LogPage {
  /** Oldest first. */
  lines: string[];
  total: number;
}

/** A job may be taken by a worker between two looks at it. */
const CANCEL_TRIES = 5;
const MAX_LOG_LINES = 1_000;
const BELONGS_TO_SCHEDULER = -8;

export interface ActionsOptions {
  client: RedisClient;
  queues: Queues;
  reader: Reader;
  clock: Clock;
  maxDataBytes: number;
}

export class Actions {
  readonly #options: ActionsOptions;

  constructor(options: ActionsOptions) {
    this.#options = options;
  }

  async retry(queueName: string, id: string): Promise<JobView> {
    const { client, queues, reader, clock } = this.#options;
    const found = await reader.lookUp(queueName, id);
    if (!found) throw notFound(queueName);
    const { place: state, fields } = found;
    const job = viewJob(found, clock.now());
    if (state !== 'completed' && state !== 'failed') throw notInState(job, 'has not finished');
    const { keys, ...queue } = queues.open(queueName);
    const backend = await queue.backend();
    await resetJobs.run(client, {
      keys: { place: keys[state] },
      args: {},
      moreKeys: [keys.base + id],
      moreArgs: [id, withoutPassedExpiry(fields.opts, job.createdAt, clock.now())],
    });
    const [answer] = await backend.reprocess([{ id, lifo: job.options.lifo }], state);
    if (answer !== 'moved') throw notInState(await reader.get(queueName, id), `left ${state} meanwhile`);
    return await reader.get(queueName, id);
  }

  async promote(queueName: string, id: string): Promise<JobView> {
    const { queues, reader } = this.#options;
    const job = await reader.get(queueName, id);
    try {
      const backend = await queues.open(queueName).backend();
      await backend.promote(id);
    } catch (error) {
      if (bullCode(error) === undefined) throw error;
      throw notInState(job, 'is not delayed');
    }
    return await reader.get(queueName, id);
  }

  async cancel(queueName: string, id: string): Promise<CancelOutcome> {
    const queue = this.#options.queues.open(queueName);
    for (let tries = 0; tries < CANCEL_TRIES; tries += 1) {
      const answer = await this.#ask(queue, id);
      if (answer === 'asked') return { kind: 'cancelling' };
      if (answer === 'missing') throw notFound(queueName);
      if (answer === 'finished')
        throw notInState(await this.#options.reader.get(queueName, id), 'has finished');
      if (await this.#removeIdle(queue, id)) return { kind: 'removed' };
    }
    throw new DomainError<JobsErrorCode>('job_locked', `job ${id} goes from worker to worker; try again`);
  }

  async remove(queueName: string, id: string): Promise<void> {
    const { queues, reader } = this.#options;
    await reader.get(queueName, id);
    if (!(await this.#removeWithChildren(queues.open(queueName), id))) {
      throw new DomainError<JobsErrorCode>('job_locked', `job ${id}, or a child of it, is running`);
    }
  }

  /** Data first, then delay, then priority; what fails leaves what is after it undone. */
  async update(queueName: string, id: string, patch: JobPatch): Promise<JobView> {
    const { client, queues, reader, maxDataBytes } = this.#options;
    const { keys, ...queue } = queues.open(queueName);
    const backend = await queue.backend();
    const { delay, priority } = check(jobPatchSchema, { delay: patch.delay, priority: patch.priority }, []);
    const data = patch.data === undefined ? undefined : dataText(patch.data, maxDataBytes);
    const job = await reader.get(queueName, id);
    if (job.attempts.started > 0 || job.finishedAt !== null) throw notInState(job, 'has been started');
    if (delay !== undefined && job.state !== 'delayed') throw notInState(job, 'is not delayed');
    if (
      data !== undefined &&
      (await updateData.run(client, { keys: { job: keys.base + id }, args: { data } })) === 0
    ) {
      throw notInState(job, 'has been started meanwhile');
    }
    try {
      if (delay !== undefined) await backend.changeDelay(id, delay);
      if (priority !== undefined) await backend.changePriority(id, priority, job.options.lifo);
    } catch (error) {
      if (bullCode(error) === undefined) throw error;
      throw notInState(await reader.get(queueName, id), 'left its place meanwhile');
    }
    return await reader.get(queueName, id);
  }

  async logs(queueName: string, id: string, offset: number, limit: number): Promise<LogPage> {
    const { queues, reader } = this.#options;
    await reader.get(queueName, id);
    const count = Math.min(limit, MAX_LOG_LINES);
    const backend = await queues.open(queueName).backend();
    const { logs, count: total } = await backend.getJobLogs(id, offset, offset + count - 1, true);
    return { lines: logs, total };
  }

  async #ask({ keys }: OpenQueue, id: string): Promise<'missing' | 'finished' | 'idle' | 'asked'> {
    if (!isJobId(id)) return 'missing';
    const answer = await cancelJob.run(this.#options.client, {
      keys: { job: keys.base + id, active: keys.active },
      args: { id, reason: CANCELLED_REASON },
    });
    return answer as 'missing' | 'finished' | 'idle' | 'asked';
  }

  /** A parent whose children run cannot go with them: they are stopped, and it goes alone. */
  async #removeIdle(queue: OpenQueue, id: string): Promise<boolean> {
    if (await this.#removeWithChildren(queue, id)) return true;
    const backend = await queue.backend();
    const { unprocessed = [] } = await backend.getDependencies(id, {});
    for (const key of unprocessed) {
      const { queueName, id: childId } = backend.parseNodeKey(key);
      await this.cancel(queueName, childId).catch((error: unknown) => {
        // It has ended by itself, which is as good.
        if (!(error instanceof DomainError)) throw error;
      });
    }
    return unprocessed.length > 0 && (await backend.remove(id, false)) === 1;
  }

  async #removeWithChildren(queue: OpenQueue, id: string): Promise<boolean> {
    const backend = await queue.backend();
    try {
      return (await backend.remove(id, true)) === 1;
    } catch (error) {
      if (bullCode(error) !== BELONGS_TO_SCHEDULER) throw error;
      throw new DomainError<JobsErrorCode>(
        'job_not_in_state',
        `job ${id} is the next one of its scheduler: remove the scheduler`,
      );
    }
  }
}

function notFound(queue: string): DomainError<JobsErrorCode> {
  return new DomainError('job_not_found', `queue ${queue} has no job of this id`);
}

function notInState({ id, state }: JobView, why: string): DomainError<JobsErrorCode> {
  return new DomainError('job_not_in_state', `job ${id} is ${state}: it ${why}`, {
    details: { state: state satisfies JobState },
  });
}
