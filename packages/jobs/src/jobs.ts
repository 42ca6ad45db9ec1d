/** This file owns the door to jobs for programs: one object, whose parts each own one thing. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, systemClock } from '@sluice/runtime';
import { Actions, type CancelOutcome, type JobPatch, type LogPage } from './actions.ts';
import { BullMqLoader } from './bullmq-loader.ts';
import { DurableConnections } from './durable-connections.ts';
import {
  DEFAULT_IDEMPOTENCY_WINDOW_MS,
  DEFAULT_MAX_DATA_BYTES,
  type EnqueuedJob,
  type EnqueueManyOptions,
  type EnqueueOptions,
  type EnqueueResult,
  Enqueuer,
  type NewJob,
} from './enqueue.ts';
import { EventReader } from './event-reader.ts';
import { Flows } from './flows.ts';
import { GroupCommit } from './group-commit.ts';
import { type LeaseSettings, Leases } from './leases.ts';
import {
  type CleanOptions,
  MassActions,
  type MassResult,
  type RedriveOptions,
  type RedriveResult,
} from './mass-actions.ts';
import type { QueueHistory } from './queue-history.ts';
import { QueueSettings } from './queue-settings.ts';
import { QueueReader, type QueuesPage, type QueueView } from './queue-view.ts';
import { Queues } from './queues.ts';
import { type JobPage, type PageOptions, Reader, type SearchOptions, type SearchPage } from './reads.ts';
import { SchedulerAudit } from './scheduler-audit.ts';
import { Schedulers } from './schedulers.ts';
import type { QueueLimitsPatch } from './schemas.ts';
import { type QueueEvent, type SubscribeOptions, type SubscriberOptions, subscribe } from './subscription.ts';
import type { TraceCarrier } from './tracing.ts';
import type { JobView } from './view.ts';
import { type JobEnd, Waiter, type WaitOptions } from './wait.ts';

export interface JobsOptions {
  /** Profile `request`; stays the caller's. */
  client: RedisClient;
  /** Profile `subscriber`, used by nobody else: reading events blocks it. Stays the caller's. */
  subscriber: RedisClient;
  keys: Keyspace;
  clock?: Clock | undefined;
  /** How long an idempotency key names its job; default 24 h. */
  idempotencyWindowMs?: number | undefined;
  /** Of a job's data as JSON; default 1 MiB. */
  maxDataBytes?: number | undefined;
  leases?: LeaseSettings | undefined;
  /** Has jobs carry the trace they are enqueued in; default none. */
  tracing?: TraceCarrier | undefined;
  /**
   * Makes one more client of profile `proof` that is used by nobody else: writes that are to be proven hold it up. Asked for
   * at most twelve times, when a queue with a durability is first written to; they stay the caller's to close. Without it nobody waits
   * here: every job is told to be in `memory`, and no queue can be given another durability.
   */
  openDurable?: (() => RedisClient) | undefined;
}

/**
 * Puts jobs into queues, tells of them, and acts on them. Expected failures are `DomainError`s with a code of
 * `JOBS_ERROR_CODES`; `job_invalid` is possible everywhere. What Redis says comes through as ioredis throws it.
 */
export class Jobs {
  readonly schedulers: Schedulers;
  /** Looks for schedulers that have stopped, once it is started. */
  readonly schedulerAudit: SchedulerAudit;
  readonly flows: Flows;
  /** Jobs for workers outside. */
  readonly leases: Leases;
  readonly #bullmq: BullMqLoader;
  readonly #enqueuer: Enqueuer;
  readonly #reader: Reader;
  readonly #queueReader: QueueReader;
  readonly #events: EventReader;
  readonly #waiter: Waiter;
  readonly #subscriptions: SubscriberOptions;
  readonly #actions: Actions;
  readonly #massActions: MassActions;
  readonly #settings: QueueSettings;

  constructor(options: JobsOptions) {
    const { client, subscriber, keys, clock = systemClock } = options;
    const maxDataBytes = options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES;
    const idempotencyWindowMs = options.idempotencyWindowMs ?? DEFAULT_IDEMPOTENCY_WINDOW_MS;
    this.#bullmq = new BullMqLoader(client);
    const queues = new Queues({ bullmq: this.#bullmq, keys });
    const durable = new DurableConnections({ client, open: options.openDurable });
    const commits = new GroupCommit({ client, keys, durable });
    const reader = new Reader({ client, queues, clock });
    const { tracing } = options;
    this.#enqueuer = new Enqueuer({
      client,
      queues,
      commits,
      clock,
      idempotencyWindowMs,
      maxDataBytes,
      tracing,
    });
    this.#reader = reader;
    this.#queueReader = new QueueReader({ client, keys, queues, clock });
    this.#events = new EventReader({ client, subscriber });
    this.#waiter = new Waiter({ reader, events: this.#events, queues, clock });
    this.#subscriptions = { client, events: this.#events, reader, queues };
    this.#actions = new Actions({ client, queues, reader, clock, maxDataBytes });
    this.#massActions = new MassActions({ client, keys, queues, reader, clock });
    this.schedulers = new Schedulers({ client, keys, queues, clock, maxDataBytes });
    this.schedulerAudit = new SchedulerAudit({ client, keys, schedulers: this.schedulers, clock });
    this.flows = new Flows({ client, keys, queues, reader, clock, maxDataBytes, durable });
    this.leases = new Leases({
      ...options.leases,
      client,
      keyspace: keys,
      queues,
      events: this.#events,
      reader,
      clock,
    });
    this.#settings = new QueueSettings({ client, keys, queues, durable });
  }

  /**
   * Resolves when Redis holds the job as its queue's durability asks. Codes: `idempotency_mismatch`, `overloaded`,
   * `quota_backlog_exceeded`, `durability_unavailable`, `durability_not_confirmed`.
   */
  enqueue(queue: string, job: NewJob, options: EnqueueOptions = {}): Promise<EnqueuedJob> {
    return this.#enqueuer.enqueue(queue, job, options);
  }

  /** At most 1,000 jobs; one result a job, in their order. One job's failure is its own. Code `quota_backlog_exceeded` for all. */
  enqueueMany(
    queue: string,
    jobs: readonly NewJob[],
    options: EnqueueManyOptions = {},
  ): Promise<EnqueueResult[]> {
    return this.#enqueuer.enqueueMany(queue, jobs, options);
  }

  /** Code `job_not_found`. */
  get(queue: string, id: string): Promise<JobView> {
    return this.#reader.get(queue, id);
  }

  list(queue: string, options: PageOptions): Promise<JobPage> {
    return this.#reader.list(queue, options);
  }

  /** Looks at jobs for about a second, and says how far it came. */
  search(queue: string, options: SearchOptions): Promise<SearchPage> {
    return this.#reader.search(queue, options);
  }

  /**
   * How the job ended, or `pending` after `timeoutMs`. Codes: `job_not_found`, `waiters_full`; rejects at once when Redis
   * goes away, and with the signal's reason.
   */
  waitForResult(queue: string, id: string, options: WaitOptions): Promise<JobEnd> {
    return this.#waiter.wait(queue, id, options);
  }

  /**
   * A queue's events, or a job's until its end. Resolves when none can be missed any more; the stream must then be read, or
   * left with `break`. Codes: `job_not_found`, `waiters_full`.
   */
  subscribe(queue: string, options: SubscribeOptions = {}): Promise<AsyncIterableIterator<QueueEvent>> {
    return subscribe(this.#subscriptions, queue, options);
  }

  /** Waits and streams of this process; at most 10,000. */
  get listenerCount(): number {
    return this.#events.listenerCount;
  }

  /** A finished job runs again, its attempts counted from 0. Codes: `job_not_found`, `job_not_in_state`. */
  retry(queue: string, id: string): Promise<JobView> {
    return this.#actions.retry(queue, id);
  }

  /** A delayed job is ready now. Codes: `job_not_found`, `job_not_in_state`. */
  promote(queue: string, id: string): Promise<JobView> {
    return this.#actions.promote(queue, id);
  }

  /** Codes: `job_not_found`, `job_not_in_state` when it has finished, `job_locked`. */
  cancel(queue: string, id: string): Promise<CancelOutcome> {
    return this.#actions.cancel(queue, id);
  }

  /** With its children, if it has any. Codes: `job_not_found`, `job_locked` while one of them runs. */
  remove(queue: string, id: string): Promise<void> {
    return this.#actions.remove(queue, id);
  }

  /** Of a job that has not been started. Codes: `job_not_found`, `job_not_in_state`. */
  update(queue: string, id: string, patch: JobPatch): Promise<JobView> {
    return this.#actions.update(queue, id, patch);
  }

  /** At most 1,000 lines, default 100, from `offset` (0 the oldest). Code `job_not_found`. */
  logs(
    queue: string,
    id: string,
    { offset = 0, limit = 100 }: { offset?: number; limit?: number } = {},
  ): Promise<LogPage> {
    return this.#actions.logs(queue, id, offset, limit);
  }

  /** Code `queue_not_found`. */
  queue(name: string): Promise<QueueView> {
    return this.#queueReader.queue(name);
  }

  /** Every queue that has been used, by name; at most 1,000, the next after the last name told. */
  queues(page: QueuesPage = {}): Promise<QueueView[]> {
    return this.#queueReader.queues(page);
  }

  /** Jobs done and failed in each of the last 60 minutes, as far as workers count them. */
  history(queue: string): Promise<QueueHistory> {
    return this.#queueReader.history(queue);
  }

  async pause(queue: string): Promise<QueueView> {
    await this.#settings.pause(queue);
    return await this.queue(queue);
  }

  async resume(queue: string): Promise<QueueView> {
    await this.#settings.resume(queue);
    return await this.queue(queue);
  }

  /** Code `durability_refused`: Redis could not prove a write so. */
  async setLimits(queue: string, limits: QueueLimitsPatch): Promise<QueueView> {
    await this.#settings.limit(queue, limits);
    return await this.queue(queue);
  }

  drain(queue: string, options: { delayed?: boolean | undefined } = {}): Promise<MassResult> {
    return this.#massActions.drain(queue, options);
  }

  clean(queue: string, options: CleanOptions): Promise<MassResult> {
    return this.#massActions.clean(queue, options);
  }

  redrive(queue: string, options: RedriveOptions = {}): Promise<RedriveResult> {
    return this.#massActions.redrive(queue, options);
  }

  /** The queue is paused first, and is gone when `next` is `null`. Codes: `queue_active`, `queue_not_paused`. */
  obliterate(queue: string, options: { force?: boolean | undefined } = {}): Promise<MassResult> {
    return this.#massActions.obliterate(queue, options);
  }

  /** Ends waits and lets go of the clients, which stay open. */
  async close(): Promise<void> {
    await this.schedulerAudit.stop();
    await this.leases.stop();
    this.#events.close();
    await this.#bullmq.close();
  }
}
