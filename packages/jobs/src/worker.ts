/**
 * This file owns serving one queue: each job BullMQ hands out becomes an attempt, its outcome goes back, and the whole
 * starts, tells how it is, is rebuilt when it no longer asks for jobs, and stops without losing one.
 *
 *   take -> attempt -> completed | retry | delay | fail     written by BullMQ, in one script each
 *                   -> postpone  (not begun)               later, neither the attempt nor its start counts
 *                   -> return    (stopping)                 back to the head of the queue, the attempt does not count
 *                   -> lost      (lock gone)                nothing is written; the job is, or will be, somebody else's
 *
 * At least once: a worker that dies leaves its job locked for `lockMs`; then it is handed out again, at most
 * `maxDeliveries` times, after which it fails with a reason.
 */
import { hostname } from 'node:os';
import type { Keyspace, RedisConfig } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Log, within } from '@sluice/runtime';
import type { Job as BullJob } from 'bullmq';
import {
  Attempt,
  type AttemptFacts,
  type AttemptMiddleware,
  type AttemptSettings,
  type Outcome,
} from './attempt.ts';
import { conclude, factsOf, JobSink } from './bull-job.ts';
import { DEFAULT_MAX_DELIVERIES } from './bull-settings.ts';
import { CANCELLED_REASON, CancelWatch, isCancelRequested } from './cancel.ts';
import type { Catalog, CatalogEntry } from './catalog.ts';
import { Consumer, type ConsumerRate, type ConsumerTiming, DEFAULT_TIMING } from './consumer.ts';
import { type Decision, decide } from './decision.ts';
import { readFailure } from './failure.ts';
import { type Entry, Gate, type Refusal } from './gate.ts';
import { queueKeys } from './keys.ts';
import { Line } from './line.ts';
import { groupOf } from './options.ts';
import { Sandbox } from './sandbox.ts';
import { countStalled } from './stalled.ts';
import type { AttemptTracing } from './tracing.ts';
import { Watchdog } from './watchdog.ts';

export const DEFAULT_CONCURRENCY = 10;
/** No attempt runs for ever; jobs and definitions may say less or more. */
export const DEFAULT_ATTEMPT_TIMEOUT_MS = 3_600_000;
export const DEFAULT_STOP_MS = 25_000;
/** Silence of this many drain delays is not chance. */
const STUCK_DRAIN_DELAYS = 3;
const REBUILDS_BEFORE_UNHEALTHY = 2;
/** For jobs to go back to the queue once the deadline has passed, beside their grace. */
const RETURN_MS = 2_500;
const CANCELLED = readFailure(CANCELLED_REASON).message;
const STOPPING = 'the worker is stopping';

export interface JobWorkerOptions {
  queue: string;
  redis: RedisConfig;
  keys: Keyspace;
  catalog: Catalog;
  /** Which job a name stands for in this queue; default what the catalog has under it. */
  entryFor?: ((name: string) => CatalogEntry | undefined) | undefined;
  /** A client of profile `request` that several workers may share: asks for cancels and for work that nobody takes. */
  probe: RedisClient;
  log: Log;
  /** Attempts at the same time; default 10. */
  concurrency?: number | undefined;
  /**
   * At most `max` attempts begun in each `durationMs`, by all workers of the queue together; default no bound. Where the
   * queue has a rate of its own, BullMQ takes `max` from that and the duration from here.
   */
  rate?: ConsumerRate | undefined;
  /** Default 1 h. */
  attemptTimeoutMs?: number | undefined;
  /** Default 10. */
  maxDeliveries?: number | undefined;
  middleware?: readonly AttemptMiddleware[] | undefined;
  timing?: Partial<ConsumerTiming> | undefined;
  /** Runs each attempt within its span; default none. */
  tracing?: AttemptTracing | undefined;
  /** Node's own arguments for the processes of isolated jobs; default those of this process. */
  sandboxArgv?: readonly string[] | undefined;
}

export interface WorkerHealth {
  queue: string;
  /** False when it has been rebuilt twice and still takes no job: the process should be replaced. */
  isHealthy: boolean;
  /** False when Redis does not answer. */
  isReachable: boolean;
  /** Milliseconds since Redis last answered a request for a job. */
  lastFetchAgeMs: number;
  /** How long jobs have been waiting while a slot was free and nobody asked for them; 0 when all is well. */
  silentMs: number;
  running: number;
  concurrency: number;
  rebuilds: number;
}

export class JobWorker {
  readonly queue: string;
  readonly #options: JobWorkerOptions;
  readonly #timing: ConsumerTiming;
  readonly #concurrency: number;
  /** By attempt, not by id: a job whose lock was lost may be here twice. */
  readonly #attempts = new Set<Attempt>();
  readonly #watchdog: Watchdog;
  readonly #cancelWatch: CancelWatch;
  readonly #sandbox: Sandbox;
  readonly #line: Line;
  readonly #gate: Gate;
  readonly #settings: AttemptSettings;
  /** The last middleware's first. */
  readonly #after: readonly NonNullable<AttemptMiddleware['after']>[];
  /** Rebuilt ones whose jobs still run. */
  readonly #retiring = new Map<Consumer, Promise<void>>();
  #consumer: Consumer;
  #rebuilds = 0;
  #rebuildsInARow = 0;
  #isStopping = false;
  #isReturning = false;

  /** Connects and begins to take jobs as soon as Redis answers. */
  constructor(options: JobWorkerOptions) {
    this.queue = options.queue;
    this.#options = options;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
    this.#sandbox = new Sandbox({ execArgv: options.sandboxArgv });
    const keys = queueKeys(options.keys, options.queue);
    this.#line = new Line(options.probe, keys);
    this.#gate = new Gate({
      client: options.probe,
      keys,
      promote: (jobId) => this.#consumer.promote(jobId),
    });
    const middleware = options.middleware ?? [];
    this.#after = middleware.flatMap((each) => each.after?.bind(each) ?? []).toReversed();
    this.#settings = {
      middleware: middleware.filter((each) => each.before !== undefined),
      isolate: (entry, payload, ctx) => this.#sandbox.run(entry, payload, ctx),
      defaultTimeoutMs: options.attemptTimeoutMs ?? DEFAULT_ATTEMPT_TIMEOUT_MS,
      maxDeliveries: options.maxDeliveries ?? DEFAULT_MAX_DELIVERIES,
      onAbandoned: ({ name, jobId }) =>
        options.log.error(
          { queue: this.queue, job: name, jobId },
          'processor ignored its abort, left behind',
        ),
    };
    this.#consumer = this.#open();
    this.#watchdog = new Watchdog({
      checkMs: this.#timing.drainDelayMs,
      limitMs: this.#timing.drainDelayMs * STUCK_DRAIN_DELAYS,
      hasWork: () => this.#consumer.hasWork(options.probe),
      hasCapacity: () => this.#consumer.hasCapacity,
      lastFetchAgeMs: () => this.#consumer.lastFetchAgeMs,
      onStuck: (silentMs) => this.#rebuild(silentMs),
    });
    this.#cancelWatch = new CancelWatch({
      client: options.probe,
      runningKeys: () => [...new Set([...this.#attempts].map((attempt) => this.#keyOf(attempt)))],
      onCancel: (jobKey) => {
        for (const attempt of this.#attempts) {
          if (this.#keyOf(attempt) === jobKey) attempt.abort('cancelled', CANCELLED);
        }
      },
    });
  }

  health(): WorkerHealth {
    return {
      queue: this.queue,
      isHealthy: this.#consumer.hasFetched || this.#rebuildsInARow <= REBUILDS_BEFORE_UNHEALTHY,
      isReachable: this.#watchdog.isReachable,
      lastFetchAgeMs: Math.round(this.#consumer.lastFetchAgeMs),
      silentMs: Math.round(this.#watchdog.silentMs),
      running: this.#attempts.size,
      concurrency: this.#concurrency,
      rebuilds: this.#rebuilds,
    };
  }

  /**
   * Takes no more jobs at once; those that run may finish within `deadlineMs` (default 25 s), then are aborted and go
   * back to the queue. Resolves when none is left, at most 3 s after the deadline. Never rejects.
   */
  async stop(deadlineMs = DEFAULT_STOP_MS): Promise<void> {
    this.#isStopping = true;
    this.#watchdog.stop();
    const returning = setTimeout(() => this.#returnRunning(), deadlineMs);
    try {
      await within(Promise.all([this.#consumer.stop(), ...this.#retiring.values()]), deadlineMs + RETURN_MS);
    } catch (error) {
      this.#options.log.warn({ queue: this.queue, error }, 'worker did not stop in time, cut off');
      await Promise.all([this.#consumer, ...this.#retiring.keys()].map((consumer) => consumer.cut()));
    } finally {
      clearTimeout(returning);
      this.#cancelWatch.stop();
      this.#sandbox.close();
      this.#gate.stop();
    }
  }

  #open(): Consumer {
    const { queue, redis, keys, log } = this.#options;
    return new Consumer({
      queue,
      redis,
      log,
      prefix: keys.queuePrefix(queue),
      concurrency: this.#concurrency,
      rate: this.#options.rate,
      timing: this.#timing,
      workerName: `${hostname()}-${process.pid}`,
      run: (job, token) => this.#run(job, token),
      onLocksLost: (jobIds) => this.#abortLost(jobIds),
      onDeferredFailure: (job) => void this.#tellDeferred(job),
      onStalled: () => void countStalled(this.#options.probe, queueKeys(keys, queue), 1),
    });
  }

  #rebuild(silentMs: number): void {
    if (this.#isStopping) return;
    const stuck = this.#consumer;
    this.#rebuilds += 1;
    this.#rebuildsInARow = stuck.hasFetched ? 1 : this.#rebuildsInARow + 1;
    this.#options.log.error(
      { queue: this.queue, silentMs: Math.round(silentMs), rebuilds: this.#rebuilds },
      'worker took no jobs, rebuilt',
    );
    this.#consumer = this.#open();
    this.#retiring.set(
      stuck,
      stuck.retire().finally(() => this.#retiring.delete(stuck)),
    );
  }

  #returnRunning(): void {
    this.#isReturning = true;
    for (const attempt of this.#attempts) attempt.abort('shutdown', STOPPING);
  }

  #abortLost(jobIds: readonly string[]): void {
    for (const attempt of this.#attempts) {
      if (jobIds.includes(attempt.facts.jobId))
        attempt.abort('lock_lost', "the job's lock could not be renewed");
    }
  }

  #run(job: BullJob, token: string): Promise<unknown> {
    const group = groupOf(job.opts);
    return group === undefined ? this.#attempt(job, token) : this.#runInGroup(group, job, token);
  }

  async #runInGroup(group: string, job: BullJob, token: string): Promise<unknown> {
    const entry = { group, jobId: job.id ?? '', attempt: `${token}/${job.id}` };
    const admission = await this.#gate.enter(entry);
    if (admission.kind !== 'admitted') return await this.#refuse(job, token, entry, admission);
    try {
      return await this.#attempt(job, token);
    } finally {
      await this.#gate.leave(entry);
    }
  }

  async #refuse(job: BullJob, token: string, entry: Entry, { kind, delayMs }: Refusal): Promise<never> {
    const reason = 'its group is at its bound';
    return await conclude(job, token, { kind: 'postpone', delayMs, reason }, async () => {
      await this.#consumer.postpone(job, token, delayMs);
      if (kind === 'parked') await this.#gate.parked(entry, delayMs);
    });
  }

  async #attempt(job: BullJob, token: string): Promise<unknown> {
    const facts = factsOf(job, this.queue);
    const { catalog, entryFor } = this.#options;
    const attempt = new Attempt({
      facts,
      entry: entryFor ? entryFor(job.name) : catalog.find(job.name),
      sink: new JobSink(job),
      settings: this.#settings,
    });
    this.#attempts.add(attempt);
    this.#line.begun(job);
    // Asked for before the worker was stopped, answered after its deadline.
    if (this.#isReturning) attempt.abort('shutdown', STOPPING);
    const startedAt = performance.now();
    try {
      const { tracing } = this.#options;
      let outcome = await (tracing ? this.#traced(tracing, attempt, job) : attempt.run());
      if (outcome.kind === 'retry' || outcome.kind === 'delay' || outcome.kind === 'postpone')
        outcome = await this.#heedCancel(attempt, outcome);
      const telling = this.#tell(facts, outcome, performance.now() - startedAt);
      if (telling) await telling;
      if (outcome.kind === 'completed') return outcome.result;
      return await conclude(job, token, outcome, (delayMs) => this.#consumer.postpone(job, token, delayMs));
    } finally {
      this.#attempts.delete(attempt);
    }
  }

  #traced(tracing: AttemptTracing, attempt: Attempt, job: BullJob): Promise<Outcome> {
    const carrier = job.opts.telemetry?.metadata;
    return tracing.attempt(
      { ...attempt.facts, carrier },
      () => attempt.run(),
      ({ kind }) => kind,
    );
  }

  /** A cancel that came too late for this attempt keeps the job from another one. */
  async #heedCancel(attempt: Attempt, decision: Decision): Promise<Decision> {
    // Unanswered, the request stays in the job and is heeded at its next delivery.
    const isRequested = await isCancelRequested(this.#options.probe, this.#keyOf(attempt)).catch(() => false);
    return isRequested ? decide('cancelled', CANCELLED) : decision;
  }

  #keyOf(attempt: Attempt): string {
    return this.#consumer.jobKey(attempt.facts.jobId);
  }

  async #tellDeferred(job: BullJob): Promise<void> {
    const { code, message } = readFailure(job.deferredFailure ?? '');
    await this.#tell(factsOf(job, this.queue), decide(code, message), 0);
  }

  /** A promise when there is something to wait for. */
  #tell(facts: AttemptFacts, outcome: Outcome, durationMs: number): Promise<unknown> | undefined {
    const slow: Promise<void>[] = [];
    for (const after of this.#after) {
      try {
        const telling = after(facts, outcome, durationMs);
        if (telling) slow.push(telling.catch((error: unknown) => this.#reportMiddleware(facts, error)));
      } catch (error) {
        this.#reportMiddleware(facts, error);
      }
    }
    return slow.length === 0 ? undefined : Promise.all(slow);
  }

  #reportMiddleware({ jobId }: AttemptFacts, error: unknown): void {
    this.#options.log.error({ queue: this.queue, jobId, error }, 'middleware failed after an attempt');
  }
}
