/** This file owns the door to jobs for programs: one object, whose parts each own one thing. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, systemClock } from '@sluice/runtime';
import { BullConnection } from './bullmq.ts';
import {
  DEFAULT_IDEMPOTENCY_WINDOW_MS,
  DEFAULT_MAX_DATA_BYTES,
  type EnqueuedJob,
  type EnqueueManyOptions,
  type EnqueueResult,
  Enqueuer,
  type NewJob,
} from './enqueue.ts';
import { EventReader } from './event-reader.ts';
import { GroupCommit } from './group-commit.ts';
import { Queues } from './queues.ts';
import { type JobPage, type PageOptions, type QueueView, Reader } from './reads.ts';
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
}

/**
 * Puts jobs into queues and tells of them. Expected failures are `DomainError`s with a code of `JOBS_ERROR_CODES`; what
 * Redis says comes through as ioredis throws it.
 */
export class Jobs {
  readonly #connection: BullConnection;
  readonly #enqueuer: Enqueuer;
  readonly #reader: Reader;
  readonly #events: EventReader;
  readonly #waiter: Waiter;

  constructor(options: JobsOptions) {
    const { client, subscriber, keys, clock = systemClock } = options;
    this.#connection = new BullConnection(client);
    const queues = new Queues({ connection: this.#connection, keys });
    this.#enqueuer = new Enqueuer({
      queues,
      commits: new GroupCommit({ client, keys }),
      clock,
      idempotencyWindowMs: options.idempotencyWindowMs ?? DEFAULT_IDEMPOTENCY_WINDOW_MS,
      maxDataBytes: options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES,
    });
    this.#reader = new Reader({ client, keys, queues, clock });
    this.#events = new EventReader({ client, subscriber });
    this.#waiter = new Waiter({ reader: this.#reader, events: this.#events, queues, clock });
  }

  /** Resolves when Redis holds the job. Codes: `job_invalid`, `idempotency_mismatch`, `overloaded`. */
  enqueue(queue: string, job: NewJob): Promise<EnqueuedJob> {
    return this.#enqueuer.enqueue(queue, job);
  }

  /** At most 1,000 jobs; one result a job, in their order. One job's failure is its own. */
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

  /**
   * How the job ended, or `pending` after `timeoutMs`. Codes: `job_not_found`, `waiters_full`; rejects at once when Redis
   * goes away, and with the signal's reason.
   */
  waitForResult(queue: string, id: string, options: WaitOptions): Promise<JobEnd> {
    return this.#waiter.wait(queue, id, options);
  }

  list(queue: string, options: PageOptions): Promise<JobPage> {
    return this.#reader.list(queue, options);
  }

  /** Code `queue_not_found`. */
  queue(queue: string): Promise<QueueView> {
    return this.#reader.queue(queue);
  }

  queues(): Promise<QueueView[]> {
    return this.#reader.queues();
  }

  /** Ends waits and lets go of the clients, which stay open. */
  async close(): Promise<void> {
    this.#events.close();
    await this.#connection.close();
  }
}
