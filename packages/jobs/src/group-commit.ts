/**
 * This file owns the writing of many callers' jobs together: what callers of few jobs enqueue into one queue in one turn
 * of the event loop leaves in one script call. No flush waits for the one before; each caller waits for its own only. Jobs
 * of a queue with a durability leave by its lane.
 */
import type { Keyspace } from '@sluice/config';
import { masterOf, type RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { DurableConnections } from './durable-connections.ts';
import { DurableLane, type LaneResult, type ProvenDurability } from './durable-lane.ts';
import {
  type AssumedDurability,
  batches,
  type Insertion,
  type InsertOutcome,
  insertBatch,
} from './insertion.ts';
import { type OpenQueue, registerQueue } from './queues.ts';
import type { Durability, JobsErrorCode } from './schemas.ts';

/** A caller that brings so many does not wait for others: Redis works on them while more are being read. */
const READY_JOBS = 32;
/** Jobs that are on their way; more are refused, since each holds its data in memory. */
const MAX_UNSETTLED_JOBS = 50_000;
/** A queue's durability is learnt from Redis' answer; one that changes more often than this meanwhile is not followed. */
const MAX_REDIRECTIONS = 3;

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

/**
 * - what came of it; with `durability` unless that is `memory`, and then with the `shortfall` if it was not proven
 * - `rejected` with what ioredis rejected with: whether the job is in is for that error to say
 */
export type InsertResult =
  | (InsertOutcome & { durability?: ProvenDurability; shortfall?: string | undefined })
  | { kind: 'rejected'; error: unknown };

export class GroupCommit {
  readonly #client: RedisClient;
  readonly #keyspace: Keyspace;
  readonly #connections: DurableConnections;
  readonly #assumed: AssumedDurability;
  /** By durability and master; one that nobody uses goes when another comes. */
  readonly #lanes = new Map<string, DurableLane>();
  #waiting = new Map<OpenQueue, Waiting[]>();
  #isScheduled = false;
  #unsettled = 0;

  constructor(options: { client: RedisClient; keys: Keyspace; durable: DurableConnections }) {
    this.#client = options.client;
    this.#keyspace = options.keys;
    this.#connections = options.durable;
    this.#assumed = options.durable.arePossible ? 'memory' : 'any';
  }

  /** Resolves when Redis has the job, with what came of it. Rejects as ioredis does, or with `overloaded`. */
  async add(queue: OpenQueue, job: Insertion): Promise<Exclude<InsertResult, { kind: 'rejected' }>> {
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

  #send(queue: OpenQueue, waiting: readonly Waiting[], redirections = 0): void {
    const { durability } = queue;
    if (durability !== 'memory') {
      void this.#insertProven(queue, durability, waiting, redirections);
      return;
    }
    let from = 0;
    for (const batch of batches(waiting.map(({ job }) => job))) {
      void this.#insert(queue, batch, waiting.slice(from, from + batch.length), redirections);
      from += batch.length;
    }
  }

  async #insert(
    queue: OpenQueue,
    batch: readonly Insertion[],
    waiting: readonly Waiting[],
    redirections: number,
  ): Promise<void> {
    try {
      const registering = queue.isRegistered ? undefined : this.#register(queue);
      const reply = await insertBatch(this.#client, queue.keys, batch, this.#assumed);
      if ('durability' in reply) return this.#redirect(queue, reply.durability, waiting, redirections);
      // New though registered: it was obliterated since, and its name with it.
      await (registering ?? (reply.isNewQueue ? this.#register(queue) : undefined));
      this.#settle(waiting, (index) => reply.outcomes[index] as InsertOutcome);
    } catch (error) {
      this.#settle(waiting, () => ({ kind: 'rejected', error }));
    }
  }

  async #insertProven(
    queue: OpenQueue,
    durability: ProvenDurability,
    waiting: readonly Waiting[],
    redirections: number,
  ): Promise<void> {
    const registering = queue.isRegistered ? undefined : this.#register(queue);
    const jobs = waiting.map(({ job }) => job);
    const { isNewQueue, results } = await this.#writeInLane(queue, durability, jobs);
    await (registering ?? (isNewQueue ? this.#register(queue) : undefined));
    const elsewhere = waiting.filter((_, index) => results[index]?.kind === 'elsewhere');
    const here = waiting.flatMap((each, index) => {
      const result = results[index] as LaneResult;
      return result.kind === 'elsewhere' ? [] : [{ each, result }];
    });
    this.#settle(
      here.map(({ each }) => each),
      (index) => {
        const { result } = here[index] as (typeof here)[number];
        return result.kind === 'rejected'
          ? result
          : { ...result.outcome, durability, shortfall: result.shortfall };
      },
    );
    const changed = results.find((result) => result.kind === 'elsewhere');
    if (changed) this.#redirect(queue, changed.durability, elsewhere, redirections);
  }

  /** To the queue's durability as Redis has just told it. */
  #redirect(
    queue: OpenQueue,
    durability: Durability,
    waiting: readonly Waiting[],
    redirections: number,
  ): void {
    queue.durability = durability;
    if (redirections < MAX_REDIRECTIONS) {
      this.#send(queue, waiting, redirections + 1);
      return;
    }
    const message = `the durability of queue ${queue.name} is being changed; nothing was written`;
    const error = new DomainError<JobsErrorCode>('overloaded', message);
    this.#settle(waiting, () => ({ kind: 'rejected', error }));
  }

  /** A master that is slow to prove, as one without its replica, holds up nobody else. A slot that moves takes its next jobs along. */
  async #writeInLane(queue: OpenQueue, durability: ProvenDurability, jobs: readonly Insertion[]) {
    const name = `${durability} ${masterOf(this.#client, queue.keys.id) ?? ''}`;
    let lane = this.#lanes.get(name);
    if (!lane) {
      // Masters come and go.
      for (const [each, { isIdle }] of this.#lanes) if (isIdle) this.#lanes.delete(each);
      lane = new DurableLane({ durability, connections: this.#connections });
      this.#lanes.set(name, lane);
    }
    return await lane.write(queue, jobs);
  }

  #settle(waiting: readonly Waiting[], resultOf: (index: number) => InsertResult): void {
    this.#unsettled -= waiting.length;
    for (let at = 0; at < waiting.length; at += 1) {
      const { caller, index } = waiting[at] as Waiting;
      caller.outcomes[index] = resultOf(at);
      caller.unsettled -= 1;
      if (caller.unsettled === 0) caller.settle(caller.outcomes);
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
