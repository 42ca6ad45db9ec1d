/**
 * This file owns what is done to many jobs at once: swept out, run again, all gone. Each works in steps that hold Redis
 * for some milliseconds, and for about a second in all; what is left is said in `next`, and another call goes on.
 */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { type Cursor, readCursor, writeCursor } from './cursor.ts';
import { check, invalid } from './data.ts';
import { readFailure } from './failure.ts';
import { placeOf, queueRegistry } from './keys.ts';
import { withoutPassedExpiry } from './options.ts';
import type { OpenQueue, Queues } from './queues.ts';
import type { Filter, Reader } from './reads.ts';
import {
  type CleanedState,
  cleanedStateSchema,
  type FailureCode,
  failureCodeSchema,
  type JobsErrorCode,
} from './schemas.ts';
import { resetJobs, sweepJobs } from './scripts.ts';
import type { FoundJob } from './view.ts';

export interface MassResult {
  /** Jobs removed, or moved. */
  affected: number;
  /** `null`: done. Else hand it to another call as `cursor`. */
  next: string | null;
}

export interface CleanOptions {
  state: CleanedState;
  /** Enqueued (finished: finished) at least this long ago; default 0, all of them. */
  olderThanMs?: number | undefined;
  /** At most so many; default all. */
  limit?: number | undefined;
  cursor?: string | undefined;
}

export interface RedriveOptions {
  /** The whole name. */
  name?: string | undefined;
  code?: FailureCode | undefined;
  /** Part of why it failed. */
  text?: string | undefined;
  /** At most so many; default all. */
  limit?: number | undefined;
  cursor?: string | undefined;
}

export interface RedriveResult extends MassResult {
  /** Failed jobs looked at. */
  examined: number;
}

/** Jobs in one script call: 2 ms. */
const SWEEP_JOBS = 500;
const REDRIVE_JOBS = 100;
/** What BullMQ's obliterate empties. */
const OBLITERATED_STATES = ['wait', 'prioritized', 'delayed', 'active', 'completed', 'failed'] as const;
const LOOK_AT = 1_000;
const BUDGET_MS = 1_000;
/** At the end of the wait list where jobs are taken: behind more young ones nothing is swept. */
const MAX_STAYING = 5_000;

export interface MassActionsOptions {
  client: RedisClient;
  keys: Keyspace;
  queues: Queues;
  reader: Reader;
  clock: Clock;
}

export class MassActions {
  readonly #options: MassActionsOptions;

  constructor(options: MassActionsOptions) {
    this.#options = options;
  }

  /** Removes the jobs that wait, with `delayed` also those that wait for their time. */
  async drain(
    queueName: string,
    { delayed = false }: { delayed?: boolean | undefined },
  ): Promise<MassResult> {
    const queue = this.#options.queues.open(queueName);
    const states: CleanedState[] = delayed
      ? ['waiting', 'prioritized', 'delayed']
      : ['waiting', 'prioritized'];
    const until = this.#deadline();
    let affected = 0;
    for (const state of states) {
      const swept = await this.#sweep(queue, {
        state,
        beforeMs: '',
        limit: Number.POSITIVE_INFINITY,
        skip: 0,
        until,
      });
      affected += swept.removed;
      if (swept.skip !== undefined) return { affected, next: 'more' };
    }
    return { affected, next: null };
  }

  async clean(queueName: string, options: CleanOptions): Promise<MassResult> {
    const { olderThanMs = 0, limit = Number.POSITIVE_INFINITY, cursor } = options;
    const state = check(cleanedStateSchema, options.state, ['state']);
    const queue = this.#options.queues.open(queueName);
    const skip = cursor === undefined ? 0 : Number(readCursor(cursor, state).score);
    const beforeMs = olderThanMs === 0 ? '' : this.#options.clock.now() - olderThanMs;
    const swept = await this.#sweep(queue, { state, beforeMs, limit, skip, until: this.#deadline() });
    const isDone = swept.skip === undefined || swept.removed >= limit;
    return {
      affected: swept.removed,
      next: isDone ? null : writeCursor(state, { score: String(swept.skip), anchors: ['-'] }),
    };
  }

  /**
   * Runs failed jobs again, the longest failed first, each by itself and its attempts counted from 0. Those that fail
   * again meanwhile are not met a second time.
   */
  async redrive(queueName: string, options: RedriveOptions): Promise<RedriveResult> {
    const { limit = Number.POSITIVE_INFINITY, cursor } = options;
    const { clock, queues, reader } = this.#options;
    const queue = queues.open(queueName);
    const code = options.code === undefined ? undefined : check(failureCodeSchema, options.code, ['code']);
    const filters = redriveFilters(options);
    const begunAt = clock.now();
    const until = this.#deadline();
    let affected = 0;
    let examined = 0;
    let from: Cursor | undefined = cursor === undefined ? undefined : readCursor(cursor, 'failed');
    do {
      const lot = Math.min(REDRIVE_JOBS, limit - affected);
      const page = await reader.page(queueName, {
        state: 'failed',
        limit: lot,
        lookAt: LOOK_AT,
        filters,
        from,
        order: 'up',
      });
      const meant = page.found.filter(
        (job) => Number(job.score) <= begunAt && (code === undefined || codeOf(job) === code),
      );
      affected += await this.#runAgain(queue, meant);
      examined += page.examined;
      from = page.next && Number(page.next.score) <= begunAt ? page.next : undefined;
    } while (from && affected < limit && clock.monotonicMs() < until);
    return { affected, examined, next: from && affected < limit ? writeCursor('failed', from) : null };
  }

  /** Pauses the queue and removes it with all it holds. Codes: `queue_active` when jobs run and `force` is not given. */
  async obliterate(
    queueName: string,
    { force = false }: { force?: boolean | undefined },
  ): Promise<MassResult> {
    const { client, clock, keys, queues } = this.#options;
    const queue = queues.open(queueName);
    const until = this.#deadline();
    if (!force && (await client.llen(queue.keys.active)) > 0) throw activeQueue(queueName);
    const backend = await queue.backend();
    await backend.pause(true);
    // BullMQ's own leaves the jobs that wait for their children.
    const parents = {
      state: 'waiting-children',
      beforeMs: '',
      limit: Number.POSITIVE_INFINITY,
      skip: 0,
      until,
    } as const;
    const swept = await this.#sweep(queue, parents);
    // BullMQ's steps do not say how many they removed.
    const held = await backend.getCounts([...OBLITERATED_STATES]);
    let affected = swept.removed;
    let step: 'more' | 'done' | 'active' | 'not_paused' = 'more';
    while (step === 'more') {
      if (swept.skip !== undefined || clock.monotonicMs() >= until) return { affected, next: 'more' };
      step = await backend.obliterateStep(SWEEP_JOBS, force);
      if (step === 'more') affected += SWEEP_JOBS;
    }
    if (step === 'active') throw activeQueue(queueName);
    if (step === 'not_paused')
      throw new DomainError<JobsErrorCode>('queue_not_paused', `queue ${queueName} was resumed meanwhile`);
    await client.unlink(queue.keys.limiter, queue.keys.turns, queue.keys.last_jobs);
    await client.srem(queueRegistry(keys), queueName);
    queue.isRegistered = false;
    return { affected: swept.removed + held.reduce((sum, count) => sum + count, 0), next: null };
  }

  #deadline(): number {
    return this.#options.clock.monotonicMs() + BUDGET_MS;
  }

  async #sweep(queue: OpenQueue, options: SweepOptions): Promise<Swept> {
    const { state, beforeMs, limit, until } = options;
    const order =
      state === 'waiting' ? 'list' : state === 'completed' || state === 'failed' ? 'finished' : 'rank';
    let { skip } = options;
    let removed = 0;
    for (;;) {
      const lot = Math.min(SWEEP_JOBS, limit - removed);
      const [swept, lookedAt, children] = (await sweepJobs.run(this.#options.client, {
        keys: {
          base: queue.keys.base,
          place: placeOf(queue.keys, state),
          repeat: queue.keys.repeat,
          events: queue.keys.events,
        },
        args: { order, limit: lot, before_ms: beforeMs, skip },
      })) as [number, number, string[]];
      const gone = swept + (await removeEach(queue, children));
      removed += gone;
      skip += lookedAt - gone;
      const isBlocked = order === 'list' && skip > MAX_STAYING;
      if (lookedAt < lot || removed >= limit || isBlocked) return { removed, skip: undefined };
      if (this.#options.clock.monotonicMs() >= until) return { removed, skip };
    }
  }

  async #runAgain(queue: OpenQueue, jobs: readonly FoundJob[]): Promise<number> {
    if (jobs.length === 0) return 0;
    const { keys } = queue;
    const backend = await queue.backend();
    const now = this.#options.clock.now();
    const kept = jobs.map(({ fields }) => withoutPassedExpiry(fields.opts, Number(fields.timestamp), now));
    await resetJobs.run(this.#options.client, {
      keys: { place: keys.failed },
      args: {},
      moreKeys: jobs.map(({ id }) => keys.base + id),
      moreArgs: jobs.flatMap(({ id }, index) => [id, kept[index] as string]),
    });
    const lifo = ({ fields }: FoundJob) => /"lifo":true/.test(fields.opts ?? '');
    const answers = await backend.reprocess(
      jobs.map((job) => ({ id: job.id, lifo: lifo(job) })),
      'failed',
    );
    return answers.filter((answer) => answer === 'moved').length;
  }
}

interface SweepOptions {
  state: CleanedState | 'waiting-children';
  beforeMs: number | '';
  limit: number;
  /** Jobs at the front that stay. */
  skip: number;
  until: number;
}

interface Swept {
  removed: number;
  /** Where to go on; `undefined`: through. */
  skip: number | undefined;
}

/** Children go by BullMQ's own script, which tells their parents. Answers how many went; one that runs again stays. */
async function removeEach(queue: OpenQueue, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const backend = await queue.backend();
  let removed = 0;
  for (const id of ids) removed += await backend.remove(id, false);
  return removed;
}

function redriveFilters({ name, code, text, limit }: RedriveOptions): Filter[] {
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1))
    throw invalid(`limit ${limit} is not a whole number above 0`);
  const filters: Filter[] = [];
  if (name !== undefined) filters.push({ field: 'name', how: 'is', text: name });
  if (code !== undefined && code !== 'error')
    filters.push({ field: 'failedReason', how: 'begins', text: `${code}: ` });
  if (text !== undefined) filters.push({ field: 'failedReason', how: 'has', text });
  return filters;
}

function codeOf({ fields }: FoundJob): FailureCode {
  return readFailure(fields.failedReason ?? '').code;
}

function activeQueue(queue: string): DomainError<JobsErrorCode> {
  return new DomainError('queue_active', `jobs of queue ${queue} are running`);
}
