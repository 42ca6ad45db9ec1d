/**
 * This file owns what becomes of a leased job: completed, failed, given back, ended because somebody asked for that. Each
 * is one step in Redis that begins with the job's lock: whoever no longer holds it changes nothing.
 */
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { bullCode } from './bull-code.ts';
import type { HeldJob } from './bull-lease.ts';
import { METRICS_MINUTES } from './bull-settings.ts';
import { CANCELLED_REASON, isCancellation } from './cancel.ts';
import { dataText } from './data.ts';
import { type Decision, decide, lastDecision } from './decision.ts';
import { DEFAULT_MAX_RESULT_BYTES } from './define.ts';
import { readFailure } from './failure.ts';
import { jobKeys, leaseKeys } from './keys.ts';
import type { LeaseFacts } from './lease-token.ts';
import type { LeaseWatch } from './lease-watch.ts';
import type { StoredOptions } from './options.ts';
import type { OpenQueue, Queues } from './queues.ts';
import type { Reader } from './reads.ts';
import type { JobState, JobsErrorCode } from './schemas.ts';
import { completeJobs, releaseJobs } from './scripts.ts';

export interface SettledLease {
  id: string;
  queue: string;
  /** Where the job is now; `cancelled` when somebody asked for that before it was settled. */
  state: JobState;
}

export interface Completion {
  lease: LeaseFacts;
  /** Any JSON; `JsonText` is stored as it is written. Absent: `null`. */
  result?: unknown;
}

export interface LeaseFailure {
  message: string;
  /** Kept beside the job. */
  stack?: string | undefined;
  /** False: no other attempt can help. */
  isRetryable: boolean;
  /** Before the next attempt, instead of the job's backoff. */
  delayMs?: number | undefined;
}

/** `error` is a `DomainError`, or what ioredis rejected with. */
export type SettleResult = { ok: true; settled: SettledLease } | { ok: false; error: unknown };

/** Jobs in one call: some 3 ms of Redis' time, and `unpack` holds them. */
const MAX_CALL_JOBS = 250;
const HAS_PENDING_CHILDREN = -4;
const HAS_FAILED_CHILDREN = -9;
const NOT_OURS: ReadonlySet<number | undefined> = new Set([-1, -2, -3, -6]);
const CANCELLED = decide('cancelled', readFailure(CANCELLED_REASON).message);

export interface LeaseSettlerOptions {
  client: RedisClient;
  queues: Queues;
  reader: Pick<Reader, 'find'>;
  clock: Clock;
  watch?: LeaseWatch | undefined;
}

export class LeaseSettler {
  readonly #options: LeaseSettlerOptions;

  constructor(options: LeaseSettlerOptions) {
    this.#options = options;
  }

  /** One result an item, in their order: a call for each queue and every 250 jobs of it. */
  async completeMany(items: readonly Completion[]): Promise<SettleResult[]> {
    const results: SettleResult[] = [];
    const byQueue = new Map<string, Prepared[]>();
    for (const [index, { lease, result }] of items.entries()) {
      try {
        const prepared = { index, lease, text: resultText(result) };
        const others = byQueue.get(lease.queue);
        if (others) others.push(prepared);
        else byQueue.set(lease.queue, [prepared]);
      } catch (error) {
        results[index] = { ok: false, error };
      }
    }
    const calls = [...byQueue].flatMap(([name, prepared]) => {
      const queue = this.#options.queues.open(name);
      return chunksOf(prepared).map((chunk) => this.#completeChunk(queue, chunk, results));
    });
    await Promise.all(calls);
    return results;
  }

  async fail(lease: LeaseFacts, failure: LeaseFailure): Promise<SettledLease> {
    const queue = this.#options.queues.open(lease.queue);
    const held = await this.#held(queue, lease);
    const decision = held.isCancelled ? CANCELLED : decisionOf(failure);
    return await this.#settle(queue, lease, () => this.end(queue, held.job, decision));
  }

  /** 0: at once, before the others. */
  async release(lease: LeaseFacts, delayMs: number): Promise<SettledLease> {
    const { client, clock, queues } = this.#options;
    const [state] = (await releaseJobs.run(client, {
      keys: leaseKeys(queues.open(lease.queue).keys),
      args: { now_ms: clock.now(), delay_ms: delayMs, is_unseen: 0 },
      moreArgs: [lease.jobId, lease.token],
    })) as [JobState | 'lost'];
    if (state === 'lost') throw leaseLost(lease);
    return { id: lease.jobId, queue: lease.queue, state };
  }

  /** Writes what came of an attempt without a result, and says where the job is then. Rejects with a `bullCode` when its lock is another's. */
  async end(queue: OpenQueue, job: HeldJob, decision: Decision): Promise<JobState> {
    if (!('failure' in decision)) throw new TypeError(`a lease cannot end as '${decision.kind}'`);
    const { failAttempt } = await import('./bull-lease.ts');
    const { attempts = 1 } = JSON.parse(job.optsJson) as StoredOptions;
    const isLast = job.attemptsMade + 1 >= attempts;
    const last = isLast ? lastDecision(decision) : decision;
    const state = await failAttempt(await queue.backend(), job, last);
    const { code } = last.failure;
    this.#options.watch?.ended(queue.name, last.kind, code);
    return state === 'failed' && (code === 'cancelled' || code === 'expired') ? code : state;
  }

  /** The same for a job that nobody waits to hear of. One whose lock has become another's, or that is gone, is left as it is. */
  async endIfHeld(queue: OpenQueue, job: HeldJob, decision: Decision): Promise<void> {
    try {
      await this.end(queue, job, decision);
    } catch (error) {
      if (bullCode(error) === undefined) throw error;
    }
  }

  /** A leased job as it is ended by others than its holder. `null` when it is gone. */
  async find(queue: OpenQueue, id: string, token: string): Promise<(FoundHeld & { job: HeldJob }) | null> {
    const [opts, made, stacks, deferred, timestamp] = await this.#options.client.hmget(
      jobKeys(queue.keys, id).job,
      'opts',
      'atm',
      'stacktrace',
      'defa',
      'timestamp',
    );
    if (!timestamp) return null;
    const job = {
      id,
      token,
      optsJson: opts ?? '{}',
      attemptsMade: Number(made ?? 0),
      stacksJson: stacks ?? null,
    };
    return { job, isCancelled: isCancellation(deferred) };
  }

  async #completeChunk(queue: OpenQueue, chunk: readonly Prepared[], results: SettleResult[]): Promise<void> {
    try {
      const outcomes = (await completeJobs.run(this.#options.client, {
        keys: leaseKeys(queue.keys),
        args: { now_ms: this.#options.clock.now(), cancelled: CANCELLED_REASON, minutes: METRICS_MINUTES },
        moreArgs: chunk.flatMap(({ lease, text }) => [lease.jobId, lease.token, text]),
      })) as Outcome[];
      const rest: Promise<void>[] = [];
      for (const [at, prepared] of chunk.entries()) {
        const outcome = outcomes[at] as Outcome;
        const state = STATES[outcome];
        if (state) {
          results[prepared.index] = { ok: true, settled: settledAs(prepared.lease, state) };
          if (outcome === COMPLETED) this.#options.watch?.ended(queue.name, 'completed', '');
        } else rest.push(this.#finish(queue, prepared, outcome, results));
      }
      await Promise.all(rest);
    } catch (error) {
      for (const { index } of chunk) results[index] ??= { ok: false, error };
    }
  }

  /** What the script left: to be told so, or to be done by BullMQ's own. */
  async #finish(
    queue: OpenQueue,
    prepared: Prepared,
    outcome: Outcome,
    results: SettleResult[],
  ): Promise<void> {
    const { lease, index, text } = prepared;
    try {
      if (outcome === LOST) throw leaseLost(lease);
      const { job } = await this.#held(queue, lease);
      const settled = await this.#settle(queue, lease, () =>
        outcome === TO_CANCEL ? this.end(queue, job, CANCELLED) : this.#completeByBullMq(queue, job, text),
      );
      results[index] = { ok: true, settled };
    } catch (error) {
      results[index] = { ok: false, error };
    }
  }

  async #completeByBullMq(queue: OpenQueue, job: HeldJob, text: string): Promise<JobState> {
    const { completeByBullMq } = await import('./bull-lease.ts');
    try {
      await completeByBullMq(await queue.backend(), job, text);
      this.#options.watch?.ended(queue.name, 'completed', '');
      return 'completed';
    } catch (error) {
      const code = bullCode(error);
      const { message } = error as Error;
      // A parent that goes on before its other children have ended: a failed attempt, as of a worker.
      if (code === HAS_PENDING_CHILDREN) return await this.end(queue, job, decide('error', message));
      if (code !== HAS_FAILED_CHILDREN) throw error;
      const failure = { code: 'error', message } as const;
      return await this.end(queue, job, { kind: 'fail', failure, error: undefined });
    }
  }

  async #held(queue: OpenQueue, lease: LeaseFacts): Promise<FoundHeld> {
    const found = await this.find(queue, lease.jobId, lease.token);
    if (!found) throw leaseLost(lease);
    return found;
  }

  /** A lock that is not ours is a lost lease, unless it was this very lease that settled the job before. */
  async #settle(queue: OpenQueue, lease: LeaseFacts, write: () => Promise<JobState>): Promise<SettledLease> {
    try {
      return settledAs(lease, await write());
    } catch (error) {
      if (!NOT_OURS.has(bullCode(error))) throw error;
      const settledBy = await this.#options.client.hget(jobKeys(queue.keys, lease.jobId).job, 'sluice:lease');
      const job =
        settledBy === lease.token ? await this.#options.reader.find(lease.queue, lease.jobId) : null;
      if (!job || job.state === 'completed') throw leaseLost(lease);
      return settledAs(lease, job.state);
    }
  }
}

interface FoundHeld {
  job: HeldJob;
  isCancelled: boolean;
}

interface Prepared {
  /** Of the item among all. */
  index: number;
  lease: LeaseFacts;
  text: string;
}

/** As complete-jobs.lua says it. */
type Outcome = 1 | 2 | 3 | 4 | 5 | 6;
const STATES: Partial<Record<Outcome, JobState>> = { 1: 'completed', 2: 'completed', 3: 'cancelled' };
const COMPLETED = 1;
const TO_CANCEL = 4;
const LOST = 6;

export function leaseLost({ jobId }: LeaseFacts): DomainError<JobsErrorCode> {
  return new DomainError(
    'lease_lost',
    `the lease of job ${jobId} has run out, or the job was settled or removed`,
  );
}

function settledAs({ jobId, queue }: LeaseFacts, state: JobState): SettledLease {
  return { id: jobId, queue, state };
}

function decisionOf({ message, stack, isRetryable, delayMs }: LeaseFailure): Decision {
  const error = Object.assign(new Error(message), { stack: stack ?? '' });
  if (!isRetryable) return { kind: 'fail', failure: { code: 'fatal', message }, error };
  if (delayMs !== undefined) return { kind: 'delay', delayMs, failure: { code: 'error', message }, error };
  return decide('error', message, error);
}

function resultText(result: unknown): string {
  return dataText(result === undefined ? null : result, DEFAULT_MAX_RESULT_BYTES, 'a result');
}

function chunksOf(prepared: readonly Prepared[]): Prepared[][] {
  const chunks: Prepared[][] = [];
  for (let from = 0; from < prepared.length; from += MAX_CALL_JOBS)
    chunks.push(prepared.slice(from, from + MAX_CALL_JOBS));
  return chunks;
}
