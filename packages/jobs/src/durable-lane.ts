/**
 * This file owns the writing of jobs of one durability to one master: whoever comes while a write waits for its proof leaves
 * with the next one, all behind a single WAIT.
 *
 *   write -> gathered -> flight [insert, insert, …, WAIT or WAITAOF] -> outcome a job, with the shortfall if there is one
 *
 * A flight leaves when none is under way, when one has landed, and at the latest `PACE_MS` after the last: where the file is
 * synced once a second, flights take a second, and nobody may wait for two of them.
 */
import { Cluster, type RedisClient, writeProven } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { DurableConnections } from './durable-connections.ts';
import { batches, type Insertion, type InsertOutcome, queueBatch, readReply } from './insertion.ts';
import type { OpenQueue } from './queues.ts';
import type { Durability, JobsErrorCode } from './schemas.ts';

export type ProvenDurability = Exclude<Durability, 'memory'>;

/** How long a caller waits in all, gathering included: below a request's 1.8 s, and above the second between two syncs. */
export const PROOF_BUDGET_MS = 1_400;
const MIN_PROOF_MS = 100;
const MAX_FLIGHTS = 4;
const PACE_MS = 250;
/** Holds Redis for some 40 ms. */
const MAX_FLIGHT_JOBS = 4_000;

/** Of one job: `proven`, or written with a `shortfall`; `elsewhere`: not written, its queue's durability is this one. */
export type LaneResult =
  | { kind: 'written'; outcome: InsertOutcome; shortfall: string | undefined }
  | { kind: 'elsewhere'; durability: Durability }
  | { kind: 'rejected'; error: unknown };

export interface LaneReply {
  isNewQueue: boolean;
  /** In the jobs' order. */
  results: LaneResult[];
}

interface Passenger {
  queue: OpenQueue;
  jobs: readonly Insertion[];
  since: number;
  settle: (reply: LaneReply) => void;
}

export class DurableLane {
  readonly #durability: ProvenDurability;
  readonly #connections: DurableConnections;
  #waiting: Passenger[] = [];
  #flights = 0;
  #departedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { durability: ProvenDurability; connections: DurableConnections }) {
    this.#durability = options.durability;
    this.#connections = options.connections;
  }

  /** Nobody waits, nothing is under way: another lane would do as well. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#flights === 0;
  }

  /** Resolves when each job is in and proven, or is known not to be; never rejects. */
  write(queue: OpenQueue, jobs: readonly Insertion[]): Promise<LaneReply> {
    return new Promise((settle) => {
      this.#waiting.push({ queue, jobs, since: performance.now(), settle });
      this.#depart();
    });
  }

  #depart(): void {
    if (this.#waiting.length === 0 || this.#flights >= MAX_FLIGHTS) return;
    const left = this.#flights === 0 ? 0 : this.#departedAt + PACE_MS - performance.now();
    if (left > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#depart();
      }, left).unref();
      return;
    }
    this.#flights += 1;
    this.#departedAt = performance.now();
    void this.#fly(this.#board()).then(() => {
      this.#flights -= 1;
      this.#depart();
    });
    // More than one flight holds may be waiting.
    this.#depart();
  }

  #board(): Passenger[] {
    let jobs = 0;
    let count = 0;
    for (const passenger of this.#waiting) {
      jobs += passenger.jobs.length;
      if (count > 0 && jobs > MAX_FLIGHT_JOBS) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #fly(passengers: readonly Passenger[]): Promise<void> {
    try {
      const [first] = passengers as [Passenger];
      await this.#connections.use(first.queue.keys.id, async (client) => {
        const ofQueues = [...byQueue(passengers).values()];
        // Of one master's slots some may have moved on: each queue of a Cluster is asked for itself.
        const flights = client instanceof Cluster ? ofQueues : [passengers];
        await Promise.all(flights.map((flight) => this.#send(client, flight)));
      });
    } catch (error) {
      settleAll(passengers, error);
    }
  }

  /** Settles each of these passengers; never rejects. */
  async #send(client: RedisClient, passengers: readonly Passenger[]): Promise<void> {
    const loads = [...byQueue(passengers)].map(([queue, of]) => ({
      queue,
      of,
      batches: [...batches(of.flatMap(({ jobs }) => jobs))],
    }));
    const oldest = Math.min(...passengers.map(({ since }) => since));
    const timeoutMs = Math.max(MIN_PROOF_MS, Math.round(PROOF_BUDGET_MS - (performance.now() - oldest)));
    try {
      const written = await writeProven(client, {
        key: (loads[0] as (typeof loads)[number]).queue.keys.id,
        proofs: [this.#durability],
        timeoutMs,
        write: (pipeline) => {
          for (const { queue, batches } of loads)
            for (const batch of batches) queueBatch(pipeline, queue.keys, batch, this.#durability);
        },
      });
      if (written.kind === 'impossible')
        return settleAll(passengers, unavailable(this.#durability, written.reason));
      const replies = written.replies.values();
      for (const load of loads) {
        let isNewQueue = false;
        const results = load.batches.flatMap((batch): LaneResult[] => {
          const [error, raw] = replies.next().value as [Error | null, unknown];
          if (error) return batch.map(() => ({ kind: 'rejected', error }));
          const reply = readReply(raw, batch);
          if ('durability' in reply)
            return batch.map(() => ({ kind: 'elsewhere', durability: reply.durability }));
          isNewQueue ||= reply.isNewQueue;
          return reply.outcomes.map((outcome) => ({
            kind: 'written',
            outcome,
            shortfall: written.shortfall,
          }));
        });
        let from = 0;
        for (const { jobs, settle } of load.of) {
          settle({ isNewQueue, results: results.slice(from, from + jobs.length) });
          from += jobs.length;
        }
      }
    } catch (error) {
      settleAll(passengers, error);
    }
  }
}

function byQueue(passengers: readonly Passenger[]): Map<OpenQueue, Passenger[]> {
  const groups = new Map<OpenQueue, Passenger[]>();
  for (const passenger of passengers) {
    const group = groups.get(passenger.queue);
    if (group) group.push(passenger);
    else groups.set(passenger.queue, [passenger]);
  }
  return groups;
}

function settleAll(passengers: readonly Passenger[], error: unknown): void {
  for (const { jobs, settle } of passengers)
    settle({ isNewQueue: false, results: jobs.map(() => ({ kind: 'rejected', error })) });
}

export function unavailable(durability: Durability, reason: string): DomainError<JobsErrorCode> {
  return new DomainError(
    'durability_unavailable',
    `Durability ${durability} cannot be had just now. ${reason}`,
    {
      details: { outcome: 'not_attempted', durability },
    },
  );
}
