/**
 * This file owns the writing of many callers' jobs together: what callers of few jobs enqueue into one queue in one turn
 * of the event loop leaves in one script call. No flush waits for the one before; each caller waits for its own only.
 */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import { batches, type Insertion, type InsertOutcome, insertBatch } from './insertion.ts';
import { type OpenQueue, registerQueue } from './queues.ts';
import type { JobsErrorCode } from './schemas.ts';

/** A caller that brings so many does not wait for others: Redis works on them while more are being read. */
const READY_JOBS = 32;
/** Jobs that are on their way; more are refused, since each holds its data in memory. */
const MAX_UNSETTLED_JOBS = 50_000;

/** One caller's jobs, which may leave in several batches. */
interface Caller {
  outcomes: InsertResult[];
  unsettled: number;
  settle: (outcomes: InsertResult[]) => void;
}

interface Waiting {
  job: Insertion;
  caller: Caller;
  /** Its place among the caller's. */
  index: number;
}

/** `failed` with what ioredis rejected with: whether the job is in is for that error to say. */
export type InsertResult = InsertOutcome | { kind: 'rejected'; error: unknown };

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

  /** Resolves when Redis has the job, with what came of it. Rejects as ioredis does, or with `overloaded`. */
  async add(queue: OpenQueue, job: Insertion): Promise<InsertOutcome> {
    const [result] = await this.addAll(queue, [job]);
    if (result === undefined) throw new TypeError('a job left without an outcome');
    if (result.kind === 'rejected') throw result.error;
    return result;
  }

  /** Resolves when each job is in or is not, in their order. Rejects with `overloaded` when too many are on their way. */
  addAll(queue: OpenQueue, jobs: readonly Insertion[]): Promise<InsertResult[]> {
    if (this.#unsettled + jobs.length > MAX_UNSETTLED_JOBS) {
      const message = `${this.#unsettled} jobs of this process are on their way to Redis already`;
      return Promise.reject(new DomainError<JobsErrorCode>('overloaded', message));
    }
    if (jobs.length === 0) return Promise.resolve([]);
    this.#unsettled += jobs.length;
    return new Promise((settle) => {
      const caller: Caller = { outcomes: new Array(jobs.length), unsettled: jobs.length, settle };
      let waiting = this.#waiting.get(queue);
      if (!waiting) {
        waiting = [];
        this.#waiting.set(queue, waiting);
      }
      for (let index = 0; index < jobs.length; index += 1)
        waiting.push({ job: jobs[index] as Insertion, caller, index });
      if (jobs.length >= READY_JOBS) {
        this.#waiting.delete(queue);
        this.#send(queue, waiting);
        return;
      }
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
    for (const [queue, waiting] of all) this.#send(queue, waiting);
  }

  #send(queue: OpenQueue, waiting: readonly Waiting[]): void {
    let from = 0;
    for (const batch of batches(waiting.map(({ job }) => job))) {
      void this.#insert(queue, batch, waiting.slice(from, from + batch.length));
      from += batch.length;
    }
  }

  async #insert(queue: OpenQueue, batch: readonly Insertion[], waiting: readonly Waiting[]): Promise<void> {
    try {
      const registering = queue.isRegistered ? undefined : this.#register(queue);
      const { isNewQueue, outcomes } = await insertBatch(this.#client, queue.keys, batch);
      // New though registered: it was obliterated since, and its name with it.
      await (registering ?? (isNewQueue ? this.#register(queue) : undefined));
      settleAll(waiting, (index) => outcomes[index] as InsertOutcome);
    } catch (error) {
      settleAll(waiting, () => ({ kind: 'rejected', error }));
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

function settleAll(waiting: readonly Waiting[], resultOf: (index: number) => InsertResult): void {
  for (let at = 0; at < waiting.length; at += 1) {
    const { caller, index } = waiting[at] as Waiting;
    caller.outcomes[index] = resultOf(at);
    caller.unsettled -= 1;
    if (caller.unsettled === 0) caller.settle(caller.outcomes);
  }
}
