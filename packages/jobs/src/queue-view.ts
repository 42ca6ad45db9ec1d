/** This file owns the view of a queue: how many jobs are where, its settings, how fast it goes. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { metricsKeys, queueRegistry } from './keys.ts';
import { type QueueHistory, queueHistory, wholeMinutes } from './queue-history.ts';
import { type GroupLimits, readGroupLimits } from './queue-settings.ts';
import { knownQueues, type OpenQueue, type Queues } from './queues.ts';
import { type Durability, type JobsErrorCode, LISTED_STATES, type ListedState } from './schemas.ts';
import { queueSummary } from './scripts.ts';
import { WorkerCensus } from './worker-census.ts';

export type { QueueHistory };

/** BullMQ counts finished jobs by the minute. */
const RATE_MINUTES = 5;

export interface QueueView {
  name: string;
  counts: Record<ListedState, number>;
  isPaused: boolean;
  /** Connected to it; `null` when Redis does not tell. */
  workers: number | null;
  limits: QueueLimits;
  /** What must hold a job before its enqueueing is answered. */
  durability: Durability;
  /** Milliseconds since the job next in line was enqueued; `null` when none waits. */
  oldestWaitingMs: number | null;
  /** Jobs a minute over the last five whole minutes, as far as BullMQ's workers count them; 0 when none does. */
  rates: { completedPerMinute: number; failedPerMinute: number };
  /** Delayed jobs whose time has come: a worker that looks will take them. */
  due: number;
  /** Ended for good since the queue was made, as far as workers count them. */
  finished: { completed: number; failed: number };
  /** Lost by their worker and handed out again, since the queue was made. */
  stalled: number;
}

export interface QueueLimits {
  /** Jobs at work at the same time on all workers together; `null`: no bound. */
  concurrency: number | null;
  /** At most `max` jobs begun in each `durationMs`; `null`: no bound. */
  rate: { max: number; durationMs: number } | null;
  /** Of each group, on our own workers; `null`: no bound. */
  group: GroupLimits | null;
}

export interface QueueReaderOptions {
  client: RedisClient;
  keys: Keyspace;
  queues: Queues;
  clock: Clock;
}

export interface QueuesPage {
  /** Names after this one; default from the first. */
  after?: string | undefined;
  /** Default and most: 1,000. */
  limit?: number | undefined;
}

const MAX_QUEUES = 1_000;

export class QueueReader {
  readonly #options: QueueReaderOptions;
  readonly #census: WorkerCensus;

  constructor(options: QueueReaderOptions) {
    this.#options = options;
    this.#census = new WorkerCensus(options);
  }

  async queue(name: string): Promise<QueueView> {
    const { client, keys, queues } = this.#options;
    const view = await this.#summarize(queues.open(name));
    if (view) return view;
    if (await client.sismember(queueRegistry(keys), name)) return emptyQueue(name);
    throw new DomainError<JobsErrorCode>('queue_not_found', `there is no queue ${name}`);
  }

  /** Known queues, by name. */
  async queues({ after = '', limit = MAX_QUEUES }: QueuesPage): Promise<QueueView[]> {
    const { client, keys, queues } = this.#options;
    const known = await knownQueues(client, keys);
    const names = known.filter((name) => name > after).slice(0, Math.min(limit, MAX_QUEUES));
    const views = await Promise.all(names.map((name) => this.#summarize(queues.open(name))));
    return views.map((view, index) => view ?? emptyQueue(names[index] as string));
  }

  /** Nothing but zeros of a queue that is not there. */
  async history(name: string): Promise<QueueHistory> {
    const { client, queues, clock } = this.#options;
    return await queueHistory(client, queues.open(name).keys, clock.now());
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
    const workers = await this.#census.count(this.#options.keys.queuePrefix(name), name);
    const [
      paused,
      concurrency,
      max,
      duration,
      nextAt,
      nextUrgentAt,
      doneMetrics,
      failedMetrics,
      group,
      due,
      stalled,
      durability,
    ] = reply.slice(8) as Settings;
    const now = this.#options.clock.now();
    const waitingSince = [nextAt, nextUrgentAt].filter((at) => at !== null).map(Number);
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
      workers,
      limits: {
        concurrency: concurrency === null ? null : Number(concurrency),
        rate: max === null || duration === null ? null : { max: Number(max), durationMs: Number(duration) },
        group: readGroupLimits(group) ?? null,
      },
      durability: durability ?? 'memory',
      oldestWaitingMs: waitingSince.length === 0 ? null : Math.max(0, now - Math.min(...waitingSince)),
      rates: {
        completedPerMinute: ratePerMinute(doneMetrics, now),
        failedPerMinute: ratePerMinute(failedMetrics, now),
      },
      finished: { completed: Number(doneMetrics[0][0] ?? 0), failed: Number(failedMetrics[0][0] ?? 0) },
      due,
      stalled: Number(stalled ?? 0),
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
  nextUrgentAt: string | null,
  done: Metrics,
  failed: Metrics,
  group: (string | null)[],
  due: number,
  stalled: string | null,
  durability: Durability | null,
];
type Summary = [number, number, number, number, number, number, number, number, ...Settings];

function emptyQueue(name: string): QueueView {
  const counts = Object.fromEntries(LISTED_STATES.map((state) => [state, 0])) as QueueView['counts'];
  return {
    name,
    counts,
    isPaused: false,
    workers: null,
    limits: { concurrency: null, rate: null, group: null },
    durability: 'memory',
    oldestWaitingMs: null,
    rates: { completedPerMinute: 0, failedPerMinute: 0 },
    finished: { completed: 0, failed: 0 },
    due: 0,
    stalled: 0,
  };
}

function ratePerMinute([[count, previousAt, previousCount], minutes]: Metrics, now: number): number {
  const known = wholeMinutes({ count, previousAt, previousCount }, minutes, now);
  return known.slice(0, RATE_MINUTES).reduce((sum, each) => sum + each, 0) / RATE_MINUTES;
}
