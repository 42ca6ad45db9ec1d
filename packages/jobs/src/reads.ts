/** This file owns the reading of jobs and queues: one job, a page of a state, the counts. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { type Cursor, readCursor, writeCursor } from './cursor.ts';
import { isJobId, metricsKeys, type QueueKeys } from './keys.ts';
import { knownQueues, type OpenQueue, type Queues } from './queues.ts';
import { type JobsErrorCode, LISTED_STATES, type ListedState, MAX_PAGE } from './schemas.ts';
import { listJobs, queueSummary, readJob } from './scripts.ts';
import { JOB_FIELDS, type JobFields, type JobView, jobFields, viewJob } from './view.ts';

/** Of one page; data may be a megabyte a job. */
const MAX_PAGE_BYTES = 4 * 1_048_576;
const DEFAULT_PAGE = 20;
/** BullMQ counts finished jobs by the minute. */
const RATE_MINUTES = 5;

export interface PageOptions {
  state: ListedState;
  /** 1 to 100; default 20. */
  limit?: number | undefined;
  /** What the page before said in `next`. */
  cursor?: string | undefined;
}

export interface JobPage {
  /**
   * `waiting`, `active`: the one next in line (or longest at work) first · `prioritized`, `delayed`: the next first ·
   * `completed`, `failed`: the last first. Fewer than `limit` when they are large.
   */
  jobs: JobView[];
  /** `null`: that was the last page. */
  next: string | null;
}

export interface QueueView {
  name: string;
  counts: Record<ListedState, number>;
  isPaused: boolean;
  limits: QueueLimits;
  /** Milliseconds since the job next in line was enqueued; `null` when none waits. */
  oldestWaitingMs: number | null;
  /** Jobs a minute over the last five whole minutes, as far as BullMQ's workers count them; 0 when none does. */
  rates: { completedPerMinute: number; failedPerMinute: number };
}

export interface QueueLimits {
  /** Jobs at work at the same time on all workers together; `null`: no bound. */
  concurrency: number | null;
  /** At most `max` jobs begun in each `durationMs`; `null`: no bound. */
  rate: { max: number; durationMs: number } | null;
}

export interface ReaderOptions {
  client: RedisClient;
  keys: Keyspace;
  queues: Queues;
  clock: Clock;
}

export class Reader {
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** `undefined` when there is no such job. */
  async find(queueName: string, id: string): Promise<JobView | undefined> {
    const { client, clock, queues } = this.#options;
    const queue = queues.open(queueName);
    // An id that is no id would name one of BullMQ's own keys.
    if (!isJobId(id)) return undefined;
    const { keys } = queue;
    const reply = (await readJob.run(client, {
      keys: {
        job: keys.base + id,
        completed: keys.completed,
        failed: keys.failed,
        delayed: keys.delayed,
        prioritized: keys.prioritized,
        waiting_children: keys['waiting-children'],
        active: keys.active,
      },
      args: { id },
      moreArgs: JOB_FIELDS,
    })) as [ListedState, string, ...(string | null)[]] | null;
    if (reply === null) return undefined;
    const [place, score, ...values] = reply;
    return viewJob({ queue: queueName, id, place, score, fields: jobFields(values) }, clock.now());
  }

  async get(queue: string, id: string): Promise<JobView> {
    const job = await this.find(queue, id);
    if (!job) throw new DomainError<JobsErrorCode>('job_not_found', `queue ${queue} has no job of this id`);
    return job;
  }

  async list(queueName: string, { state, limit = DEFAULT_PAGE, cursor }: PageOptions): Promise<JobPage> {
    const queue = this.#options.queues.open(queueName);
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
      throw new DomainError<JobsErrorCode>(
        'job_invalid',
        `limit ${limit} is not a whole number from 1 to ${MAX_PAGE}`,
      );
    }
    const from = cursor === undefined ? undefined : readCursor(cursor, state);
    const { rows, next } = await this.#readPage(queue, state, limit, from);
    const now = this.#options.clock.now();
    const jobs = rows
      .filter(({ fields }) => fields.timestamp !== null)
      .map(({ id, score, fields }) => viewJob({ queue: queueName, id, place: state, score, fields }, now));
    return { jobs, next: next === undefined ? null : writeCursor(state, next) };
  }

  async queue(queueName: string): Promise<QueueView> {
    const view = await this.#summarize(this.#options.queues.open(queueName));
    if (!view) throw new DomainError<JobsErrorCode>('queue_not_found', `there is no queue ${queueName}`);
    return view;
  }

  /** Every known queue, by name. */
  async queues(): Promise<QueueView[]> {
    const { client, keys, queues } = this.#options;
    const names = await knownQueues(client, keys);
    const views = await Promise.all(names.map((name) => this.#summarize(queues.open(name))));
    return views.map((view, index) => view ?? emptyQueue(names[index] as string));
  }

  async #readPage(
    { keys }: OpenQueue,
    state: ListedState,
    limit: number,
    from: Cursor | undefined,
  ): Promise<{ rows: { id: string; score: string; fields: JobFields }[]; next: Cursor | undefined }> {
    const [first, hasMore, page] = (await listJobs.run(this.#options.client, {
      keys: { base: keys.base, place: placeOf(keys, state) },
      args: {
        order: ORDER[state],
        limit,
        max_bytes: MAX_PAGE_BYTES,
        score: from?.score ?? '',
        anchors: JSON.stringify(from?.anchors ?? []),
      },
      moreArgs: JOB_FIELDS,
    })) as [number, number, [string, string, ...(string | null)[]][]];
    const rows = page.map(([id, score, ...values]) => ({ id, score, fields: jobFields(values) }));
    const last = rows.at(-1);
    if (!last || hasMore === 0) return { rows, next: undefined };
    const score = ORDER[state] === 'list' ? String(first + rows.length - 1) : last.score;
    return {
      rows,
      next: {
        score,
        anchors: rows
          .slice(-4)
          .map(({ id }) => id)
          .reverse(),
      },
    };
  }

  async #summarize({ name, keys }: OpenQueue): Promise<QueueView | undefined> {
    const done = metricsKeys(keys, 'completed');
    const failed = metricsKeys(keys, 'failed');
    const reply = (await queueSummary.run(this.#options.client, {
      keys: {
        ...keys,
        waiting_children: keys['waiting-children'],
        done_totals: done.totals,
        done_minutes: done.perMinute,
        failed_totals: failed.totals,
        failed_minutes: failed.perMinute,
      },
      args: { minutes: RATE_MINUTES },
    })) as Summary;
    const [exists, waiting, active, prioritized, delayed, children, completedCount, failedCount] = reply;
    if (exists === 0) return undefined;
    const [paused, concurrency, max, duration, nextAt, nextPrioritizedAt, doneMetrics, failedMetrics] =
      reply.slice(8) as Settings;
    const now = this.#options.clock.now();
    const waitingSince = [nextAt, nextPrioritizedAt].filter((at) => at !== null).map(Number);
    return {
      name,
      counts: {
        waiting,
        prioritized,
        delayed,
        active,
        'waiting-children': children,
        completed: completedCount,
        failed: failedCount,
      },
      isPaused: paused !== null,
      limits: {
        concurrency: concurrency === null ? null : Number(concurrency),
        rate: max === null || duration === null ? null : { max: Number(max), durationMs: Number(duration) },
      },
      oldestWaitingMs: waitingSince.length === 0 ? null : Math.max(0, now - Math.min(...waitingSince)),
      rates: {
        completedPerMinute: ratePerMinute(doneMetrics, now),
        failedPerMinute: ratePerMinute(failedMetrics, now),
      },
    };
  }
}

type Metrics = [
  [count: string | null, previousAt: string | null, previousCount: string | null],
  minutes: string[],
];
type Settings = [
  paused: string | null,
  concurrency: string | null,
  max: string | null,
  duration: string | null,
  nextAt: string | null,
  nextPrioritizedAt: string | null,
  done: Metrics,
  failed: Metrics,
];
type Summary = [number, number, number, number, number, number, number, number, ...Settings];

const ORDER: Readonly<Record<ListedState, 'list' | 'up' | 'down'>> = {
  waiting: 'list',
  active: 'list',
  prioritized: 'up',
  delayed: 'up',
  'waiting-children': 'up',
  completed: 'down',
  failed: 'down',
};

export function placeOf(keys: QueueKeys, state: ListedState): string {
  return keys[state === 'waiting' ? 'wait' : state];
}

function emptyQueue(name: string): QueueView {
  const counts = Object.fromEntries(LISTED_STATES.map((state) => [state, 0])) as QueueView['counts'];
  return {
    name,
    counts,
    isPaused: false,
    limits: { concurrency: null, rate: null },
    oldestWaitingMs: null,
    rates: { completedPerMinute: 0, failedPerMinute: 0 },
  };
}

/**
 * BullMQ writes a minute's count when the first job of a later minute finishes, so what happened since is in no list yet:
 * it all happened in the minute of `previousAt`, unless that is the current one.
 */
function ratePerMinute([[count, previousAt, previousCount], minutes]: Metrics, now: number): number {
  if (previousAt === null) return 0;
  const minutesAgo = Math.floor(now / 60_000) - Math.floor(Number(previousAt) / 60_000);
  const perMinute = minutes.map(Number);
  const sinceThen = Math.max(0, Number(count ?? 0) - Number(previousCount ?? 0));
  const known =
    minutesAgo > 0 ? [...Array<number>(minutesAgo - 1).fill(0), sinceThen, ...perMinute] : perMinute;
  return known.slice(0, RATE_MINUTES).reduce((sum, each) => sum + each, 0) / RATE_MINUTES;
}
