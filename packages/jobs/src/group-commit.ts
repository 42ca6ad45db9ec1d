/**
 * This file owns the writing of many callers' jobs together: what is enqueued into one queue in one turn of the event
 * loop leaves in one script call. No flush waits for the one before; each caller waits for its own job only.
 */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import { batches, type Insertion, type InsertOutcome, insertBatch } from './insertion.ts';
import { type OpenQueue, registerQueue } from './queues.ts';
import type { JobsErrorCode } from './schemas.ts';

/** Jobs that are on their way; more are refused, since each holds its data in memory. */
const MAX_UNSETTLED_JOBS = 50_000;

interface Waiting {
  job: Insertion;
  settle: (outcome: InsertOutcome) => void;
  fail: (error: unknown) => void;
}

export class GroupCommit {
  readonly #client: RedisClient;
  readonly #keyspace: Keyspace;
  #waiting = new Map<OpenQueue, Waiting[]>();
  #isScheduled = false;
  #unsettled = 0;

  constructor(options: { client: RedisClient; keys: Keyspace }) {
    this.#client = options.client;
    this.#keyspace = options.keys;
  }

  /**
   * Resolves when Redis has the job, with what came of it. Rejects with `overloaded` when too many are on their way, else
   * as ioredis does.
   */
  add(queue: OpenQueue, job: Insertion): Promise<InsertOutcome> {
    if (this.#unsettled >= MAX_UNSETTLED_JOBS) {
      const message = `${this.#unsettled} jobs of this process are on their way to Redis already`;
      return Promise.reject(new DomainError<JobsErrorCode>('overloaded', message));
    }
    this.#unsettled += 1;
    return new Promise((settle, fail) => {
      const waiting = this.#waiting.get(queue);
      if (waiting) waiting.push({ job, settle, fail });
      else this.#waiting.set(queue, [{ job, settle, fail }]);
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      // After the sockets of this turn have been read: their requests are in the same batch.
      setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const all = this.#waiting;
    this.#waiting = new Map();
    this.#isScheduled = false;
    for (const [queue, waiting] of all) {
      let from = 0;
      for (const batch of batches(waiting.map(({ job }) => job))) {
        void this.#send(queue, batch, waiting.slice(from, from + batch.length));
        from += batch.length;
      }
    }
  }

  async #send(queue: OpenQueue, batch: readonly Insertion[], waiting: readonly Waiting[]): Promise<void> {
    try {
      const registering = queue.isRegistered ? undefined : this.#register(queue);
      const { isNewQueue, outcomes } = await insertBatch(this.#client, queue.keys, batch);
      // New though registered: it was obliterated since, and its name with it.
      await (registering ?? (isNewQueue ? this.#register(queue) : undefined));
      for (const [index, { settle }] of waiting.entries()) settle(outcomes[index] as InsertOutcome);
    } catch (error) {
      for (const { fail } of waiting) fail(error);
    } finally {
      this.#unsettled -= waiting.length;
    }
  }

  /** A name that could not be written is written with the next batch; the jobs of this one are stored all the same. */
  async #register(queue: OpenQueue): Promise<void> {
    try {
      queue.isRegistered = true;
      await registerQueue(this.#client, this.#keyspace, queue.name);
    } catch {
      queue.isRegistered = false;
    }
  }
}
