/**
 * This file owns the door to leases: jobs handed to workers outside, in any language, for a time. A leased job is an active
 * job of BullMQ whose lock is the lease, so stock workers may serve the same queue, and what holds for a job that our own
 * worker runs - expiry, attempts, backoff, timeout, cancel, retention, its scheduler's next one - holds for it.
 *
 *   take -> heartbeat, progress, log -> complete | fail | release
 *        -> nothing more is heard: handed out again, at most `maxDeliveries` times
 */
import { randomBytes } from 'node:crypto';
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { DEFAULT_MAX_DELIVERIES, KEPT_LOG_LINES } from './bull-settings.ts';
import { isCancellation } from './cancel.ts';
import { cutLine, MAX_LOG_LINE_BYTES, MAX_PROGRESS_BYTES } from './context.ts';
import { dataText } from './data.ts';
import type { EventReader } from './event-reader.ts';
import { jobKeys, leaseKeys } from './keys.ts';
import { LeaseLine } from './lease-line.ts';
import { LeaseRecovery } from './lease-recovery.ts';
import {
  type Completion,
  type LeaseFailure,
  LeaseSettler,
  leaseLost,
  type SettledLease,
  type SettleResult,
} from './lease-settling.ts';
import { type LeasedJob, LeaseTaker, type TakenLease, type WantedLeases } from './lease-taking.ts';
import { type LeaseFacts, LeaseMint } from './lease-token.ts';
import type { LeaseWatch } from './lease-watch.ts';
import type { Queues } from './queues.ts';
import type { Reader } from './reads.ts';
import type { JobsErrorCode } from './schemas.ts';
import { addLogs, extendLease, tellProgress } from './scripts.ts';

export type { LeaseFacts } from './lease-token.ts';
export type { SettledLease, SettleResult };

export interface LeaseSettings {
  /** Proves leases. Every process that shares a Redis must be given the same; default: one of this process alone. */
  secret?: Buffer | undefined;
  /** How often lost leases are looked for; default 5 s. */
  checkMs?: number | undefined;
  /** Deliveries without an outcome after which a job fails; default 10. */
  maxDeliveries?: number | undefined;
  /** Told of what is handed out and of how attempts end. */
  watch?: LeaseWatch | undefined;
}

export interface TakeOptions extends WantedLeases {
  /** For the first job; default 0. */
  waitMs?: number | undefined;
  /** Aborts when the client has gone: it gets nothing, and nothing is lost. */
  signal?: AbortSignal | undefined;
}

export interface Lease {
  /** What stands for it in all other calls; only its holder's. */
  lease: string;
  job: LeasedJob;
  /** 1 for the first. */
  attempt: number;
  /** Epoch milliseconds, by Redis' clock. */
  expiresAt: number;
}

export interface Heartbeat {
  expiresAt: number;
  /** Somebody asked the job to stop. */
  isCancelling: boolean;
}

const DEFAULT_CHECK_MS = 5_000;
/** Requests for jobs of one process at a time. */
const MAX_WAITING = 10_000;

export interface LeasesOptions extends LeaseSettings {
  client: RedisClient;
  keyspace: Keyspace;
  queues: Queues;
  events: EventReader;
  reader: Reader;
  clock: Clock;
}

export class Leases {
  readonly #options: LeasesOptions;
  readonly #mint: LeaseMint;
  readonly #settler: LeaseSettler;
  readonly #taker: LeaseTaker;
  readonly #recovery: LeaseRecovery;
  /** By queue; those in which somebody waits, or did a moment ago. */
  readonly #lines = new Map<string, LeaseLine>();
  #waiting = 0;
  #isEnded = false;

  constructor(options: LeasesOptions) {
    this.#options = options;
    const { client, keyspace, queues, reader, clock, watch } = options;
    const checkMs = options.checkMs ?? DEFAULT_CHECK_MS;
    const maxDeliveries = options.maxDeliveries ?? DEFAULT_MAX_DELIVERIES;
    this.#mint = new LeaseMint(options.secret ?? randomBytes(32));
    this.#settler = new LeaseSettler({ client, queues, reader, clock, watch });
    const settler = this.#settler;
    const touchMs = checkMs;
    this.#taker = new LeaseTaker({ client, keyspace, clock, settler, maxDeliveries, touchMs, watch });
    this.#recovery = new LeaseRecovery({ client, keyspace, queues, settler, clock, checkMs, maxDeliveries });
  }

  /** Requests that wait for a job now. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Looks after leases that were taken before this process began, too. Without it that begins with the first `take`. */
  start(): void {
    this.#recovery.start();
  }

  /**
   * At most `count` jobs, as many as there are; waits for the first one only. Codes: `waiters_full`. Rejects as ioredis
   * does when Redis is away from the beginning; a wait that it cuts short ends with none.
   */
  async take(queueName: string, options: TakeOptions): Promise<Lease[]> {
    const { count, leaseMs, holder, waitMs = 0, signal } = options;
    if (this.#waiting >= MAX_WAITING) {
      throw new DomainError<JobsErrorCode>(
        'waiters_full',
        `this process holds ${MAX_WAITING} requests for jobs already`,
      );
    }
    this.start();
    this.#waiting += 1;
    const taken = await this.#lineOf(queueName)
      .take({ count, leaseMs, holder }, this.#isEnded ? 0 : waitMs, signal)
      .finally(() => {
        this.#waiting -= 1;
      });
    if (signal?.aborted) {
      await this.#taker.giveBack(this.#options.queues.open(queueName), taken);
      return [];
    }
    return taken.map((each) => this.#leaseOf(queueName, each, leaseMs, holder));
  }

  /** What a lease says, proven to be ours and of this holder. Throws `lease_refused`. */
  open(lease: string, holder: string): LeaseFacts {
    return this.#mint.read(lease, holder);
  }

  /** Holds the job for `leaseMs` from now, default as it was taken; never past its timeout. Code `lease_lost`. */
  async heartbeat(lease: LeaseFacts, leaseMs: number = lease.leaseMs): Promise<Heartbeat> {
    const { client, queues } = this.#options;
    const { keys } = queues.open(lease.queue);
    const [answer] = await Promise.all([
      extendLease.run(client, {
        keys: { ...leaseKeys(keys), ...jobKeys(keys, lease.jobId) },
        args: { id: lease.jobId, token: lease.token, lease_ms: leaseMs },
      }) as Promise<[string, string | null] | null>,
      this.#taker.touch(lease.queue),
    ]);
    if (!answer) throw leaseLost(lease);
    return { expiresAt: Number(answer[0]), isCancelling: isCancellation(answer[1]) };
  }

  /**
   * The same lease with the same result again answers the same, as long as the job is retained. Codes: `lease_lost`,
   * `job_invalid` for a result above 16 KiB.
   */
  async complete(lease: LeaseFacts, result?: unknown): Promise<SettledLease> {
    const [outcome] = await this.#settler.completeMany([{ lease, result }]);
    if (outcome?.ok) return outcome.settled;
    throw outcome?.error;
  }

  /** One result an item, in their order; one item's failure is its own. */
  completeMany(items: readonly Completion[]): Promise<SettleResult[]> {
    return this.#settler.completeMany(items);
  }

  /** Code `lease_lost`. */
  fail(lease: LeaseFacts, failure: LeaseFailure): Promise<SettledLease> {
    return this.#settler.fail(lease, failure);
  }

  /** Back undone, before the others or after `delayMs`; neither an attempt nor a lost delivery. Code `lease_lost`. */
  release(lease: LeaseFacts, delayMs = 0): Promise<SettledLease> {
    return this.#settler.release(lease, delayMs);
  }

  /** Any JSON of at most 4 KiB. Codes: `lease_lost`, `job_invalid`. */
  async progress(lease: LeaseFacts, value: unknown): Promise<void> {
    const { client, queues } = this.#options;
    const { keys } = queues.open(lease.queue);
    const text = dataText(value, MAX_PROGRESS_BYTES, 'progress');
    const answer = await tellProgress.run(client, {
      keys: { ...keys, ...jobKeys(keys, lease.jobId) },
      args: { id: lease.jobId, token: lease.token, progress: text },
    });
    if (answer !== 1) throw leaseLost(lease);
  }

  /** Each line is cut at 8 KiB; the last 100 are kept. Answers how many the log holds. Code `lease_lost`. */
  async log(lease: LeaseFacts, lines: readonly string[]): Promise<number> {
    const { client, queues } = this.#options;
    const answer = await addLogs.run(client, {
      keys: jobKeys(queues.open(lease.queue).keys, lease.jobId),
      args: { token: lease.token, kept: KEPT_LOG_LINES },
      moreArgs: lines.map((line) => cutLine(line, MAX_LOG_LINE_BYTES)),
    });
    if (answer === null) throw leaseLost(lease);
    return answer as number;
  }

  /** Those who wait get an empty answer now, and so does whoever comes later and would wait. */
  endWaits(): void {
    this.#isEnded = true;
    for (const line of this.#lines.values()) line.end();
    this.#lines.clear();
  }

  /** Leases that others hold go on. */
  async stop(): Promise<void> {
    this.endWaits();
    await this.#recovery.stop();
  }

  #leaseOf(queue: string, taken: TakenLease, leaseMs: number, holder: string): Lease {
    const { job, token, attempt, expiresAt } = taken;
    const lease = this.#mint.mint({ queue, jobId: job.id, token, attempt, leaseMs, holder });
    return { lease, job, attempt, expiresAt };
  }

  #lineOf(queueName: string): LeaseLine {
    const known = this.#lines.get(queueName);
    if (known) return known;
    const queue = this.#options.queues.open(queueName);
    const line: LeaseLine = new LeaseLine({
      eventsKey: queue.keys.events,
      events: this.#options.events,
      clock: this.#options.clock,
      take: (wanted) => this.#taker.take(queue, wanted),
      giveBack: (leases) => this.#taker.giveBack(queue, leases),
      onIdle: () => {
        if (this.#lines.get(queueName) === line) this.#lines.delete(queueName);
      },
    });
    this.#lines.set(queueName, line);
    return line;
  }
}
