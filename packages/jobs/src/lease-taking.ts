/**
 * This file owns taking jobs for an outside worker: one script call takes them and locks them, then those that may not be
 * run any more are ended instead of handed out, and a scheduler whose job was taken gets its next one.
 */
import type { Keyspace } from '@sluice/config';
import { type RedisClient, redisFault } from '@sluice/redis';
import { type Clock, JsonText } from '@sluice/runtime';
import { refuse } from './attempt.ts';
import type { HeldJob } from './bull-lease.ts';
import type { Decision } from './decision.ts';
import { readFailure } from './failure.ts';
import { leasedQueues, leaseKeys } from './keys.ts';
import type { LeaseSettler } from './lease-settling.ts';
import { newLockToken } from './lease-token.ts';
import type { LeaseWatch } from './lease-watch.ts';
import { type BegunJob, Line } from './line.ts';
import { attemptLimits, type StoredOptions } from './options.ts';
import type { OpenQueue } from './queues.ts';
import { releaseJobs, takeJobs } from './scripts.ts';
import { readParent } from './view.ts';

export interface WantedLeases {
  /** 1 to 100. */
  count: number;
  leaseMs: number;
  /** Who they are for; shown as the jobs' `processedBy`. */
  holder: string;
}

/** What an outside worker is told of its job. Times are milliseconds since the epoch. */
export interface LeasedJob {
  id: string;
  queue: string;
  name: string;
  /** As it was written, byte for byte. */
  data: JsonText;
  maxAttempts: number;
  /** Of one attempt; `null` for one without a bound. */
  timeoutMs: number | null;
  createdAt: number;
  parent: { queue: string; id: string } | null;
  scheduler: string | null;
}

export interface TakenLease {
  job: LeasedJob;
  /** Of its lock. */
  token: string;
  /** 1 for the first. */
  attempt: number;
  expiresAt: number;
}

export interface Taking {
  leases: TakenLease[];
  /** The queue is paused, or has as many jobs at work as it may. */
  isHeld: boolean;
  /** Until the queue's rate allows more; 0 when it does. */
  limitedMs: number;
  /** When the next delayed job is due; 0 when none is. */
  dueAt: number;
}

/** Of data in one call: its time in Redis is its length. */
const MAX_TAKEN_BYTES = 4 * 1_048_576;
/** Calls for one taker while all that comes is to be ended. */
const MAX_ROUNDS = 10;

export interface LeaseTakerOptions {
  client: RedisClient;
  keyspace: Keyspace;
  clock: Clock;
  settler: LeaseSettler;
  maxDeliveries: number;
  /** A queue's name is written down at most this often; whoever looks for lost leases forgets it much later. */
  touchMs: number;
  watch?: LeaseWatch | undefined;
}

export class LeaseTaker {
  readonly #options: LeaseTakerOptions;
  /** When each queue was last written down, by the clock that only goes on. */
  readonly #touched = new Map<string, number>();

  constructor(options: LeaseTakerOptions) {
    this.#options = options;
  }

  /** Rejects as ioredis does; what was taken then is handed out again when its lock is lost. */
  async take(queue: OpenQueue, wanted: WantedLeases): Promise<Taking> {
    await this.touch(queue.name);
    for (let round = 1; ; round += 1) {
      const { rows, ...rest } = await this.#ask(queue, wanted);
      const leases = await this.#admit(queue, rows);
      // All that came was to be ended: there may be more behind it.
      if (leases.length > 0 || rows.length === 0 || round === MAX_ROUNDS) return { leases, ...rest };
    }
  }

  /** Gives back what nobody will be handed, as if it had never been taken. */
  async giveBack(queue: OpenQueue, leases: readonly TakenLease[]): Promise<void> {
    if (leases.length === 0) return;
    await releaseJobs.run(this.#options.client, {
      keys: leaseKeys(queue.keys),
      args: { now_ms: this.#options.clock.now(), delay_ms: 0, is_unseen: 1 },
      moreArgs: leases.flatMap(({ job, token }) => [job.id, token]),
    });
  }

  /** Writes down that this queue may have leases, for whoever looks for lost ones. */
  async touch(name: string): Promise<void> {
    const { client, keyspace, clock, touchMs } = this.#options;
    const now = clock.monotonicMs();
    if (now - (this.#touched.get(name) ?? Number.NEGATIVE_INFINITY) < touchMs) return;
    await client.zadd(leasedQueues(keyspace), clock.now(), name);
    this.#touched.set(name, now);
    for (const [old, at] of this.#touched) if (now - at >= touchMs) this.#touched.delete(old);
  }

  async #ask(queue: OpenQueue, { count, leaseMs, holder }: WantedLeases) {
    const { client, clock } = this.#options;
    const token = newLockToken();
    const [taken, held, limitedMs, dueAt] = (await takeJobs.run(client, {
      keys: leaseKeys(queue.keys),
      args: {
        now_ms: clock.now(),
        count,
        token,
        lease_ms: leaseMs,
        max_bytes: MAX_TAKEN_BYTES,
        taker: `lease:${holder}`,
      },
    })) as [RawJob[], number, number, string];
    const rows = taken.map((raw) => readRow(raw, token));
    return { rows, isHeld: held === 1, limitedMs, dueAt: Number(dueAt) };
  }

  async #admit(queue: OpenQueue, rows: readonly TakenRow[]): Promise<TakenLease[]> {
    const refusals = rows.map((row) => this.#refusal(row));
    const line = new Line(this.#options.client, queue.keys);
    const leases: TakenLease[] = [];
    const ending: Promise<unknown>[] = [];
    for (const [index, row] of rows.entries()) {
      // One after the other: the jobs of one scheduler follow each other.
      if (row.scheduler !== null) await scheduleNextOf(queue, row, row.scheduler);
      const refusal = refusals[index];
      line.begun(row.begun);
      if (refusal) ending.push(this.#options.settler.endIfHeld(queue, row.held, refusal));
      else {
        leases.push(leaseOf(queue, row));
        this.#tellWait(queue, row);
      }
    }
    await Promise.all(ending);
    return leases;
  }

  #tellWait({ name }: OpenQueue, { facts, createdAt, begun: { opts } }: TakenRow): void {
    const { watch, clock } = this.#options;
    if (facts.isFirstStart) watch?.waited(name, Math.max(0, clock.now() - createdAt - (opts.delay ?? 0)));
  }

  #refusal({ deferredFailure, facts }: TakenRow): Decision | undefined {
    if (deferredFailure !== null)
      return { kind: 'fail', failure: readFailure(deferredFailure), error: undefined };
    return refuse(facts, this.#options.maxDeliveries, this.#options.clock.now());
  }
}

type RawJob = [
  id: string,
  expiresAt: string,
  name: string | null,
  data: string | null,
  opts: string | null,
  timestamp: string,
  made: string | null,
  started: number,
  lost: string | null,
  deferredFailure: string | null,
  parentKey: string | null,
  scheduler: string | null,
];

interface TakenRow {
  held: HeldJob;
  name: string;
  data: string;
  expiresAt: number;
  createdAt: number;
  maxAttempts: number;
  timeoutMs: number | null;
  deferredFailure: string | null;
  parentKey: string | null;
  scheduler: string | null;
  begun: BegunJob;
  facts: { lostDeliveries: number; isFirstStart: boolean; expiresAt: number | undefined };
}

function readRow(raw: RawJob, token: string): TakenRow {
  const [id, leaseEnd, name, data, optsJson, timestamp, made, started, lost, deferredFailure] = raw;
  const [, , , , , , , , , , parentKey, scheduler] = raw;
  const createdAt = Number(timestamp);
  const opts = optsJson === null ? {} : (JSON.parse(optsJson) as StoredOptions);
  const { timeoutMs, expiresAt } = attemptLimits(opts, createdAt);
  return {
    held: { id, token, optsJson: optsJson ?? '{}', attemptsMade: Number(made ?? 0), stacksJson: null },
    name: name ?? '',
    data: data ?? '{}',
    expiresAt: Number(leaseEnd),
    createdAt,
    maxAttempts: Math.max(1, opts.attempts ?? 1),
    timeoutMs: timeoutMs ?? null,
    deferredFailure,
    parentKey,
    scheduler,
    begun: {
      opts,
      attemptsStarted: started,
      ...(scheduler !== null && { repeatJobKey: scheduler }),
      ...(parentKey !== null && { parentKey }),
    },
    facts: { lostDeliveries: Number(lost ?? 0), isFirstStart: started <= 1, expiresAt },
  };
}

function leaseOf({ name: queue }: OpenQueue, row: TakenRow): TakenLease {
  const { held, name, data, createdAt, maxAttempts, timeoutMs, parentKey, scheduler } = row;
  return {
    job: {
      id: held.id,
      queue,
      name,
      data: new JsonText(data),
      maxAttempts,
      timeoutMs,
      createdAt,
      parent: readParent(parentKey),
      scheduler,
    },
    token: held.token,
    attempt: held.attemptsMade + 1,
    expiresAt: row.expiresAt,
  };
}

/** A schedule that BullMQ cannot read keeps its job from nobody; Redis away does, and the job is handed out again. */
async function scheduleNextOf(
  queue: OpenQueue,
  { held: { id, optsJson }, name }: TakenRow,
  scheduler: string,
): Promise<void> {
  const { scheduleNext } = await import('./bull-lease.ts');
  try {
    await scheduleNext(await queue.backend(), { id, name, optsJson, scheduler });
  } catch (error) {
    if (redisFault(error)) throw error;
  }
}
