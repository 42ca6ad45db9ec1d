/**
 * This file owns one BullMQ worker: its connections, its settings, what it tells about fetching, and how it is put away.
 * What a job does is somebody else's; when it is taken for dead is the watchdog's.
 */
import type { RedisConfig } from '@sluice/config';
import { close, connect, type RedisClient } from '@sluice/redis';
import { type Log, within } from '@sluice/runtime';
import type { Job as BullJob } from 'bullmq';
import { MAX_STALLED_COUNT, METRICS_MINUTES } from './bull-settings.ts';
import { ObservedWorker } from './observed-worker.ts';

export interface ConsumerOptions {
  queue: string;
  /** BullMQ's key prefix of this queue. */
  prefix: string;
  redis: RedisConfig;
  concurrency: number;
  rate: ConsumerRate | undefined;
  timing: ConsumerTiming;
  /** Shown as the job's `processedBy`. */
  workerName: string;
  run: (job: BullJob, token: string) => Promise<unknown>;
  /** A job that BullMQ failed instead of handing it to `run`, since its failure was already decided. */
  onDeferredFailure: (job: BullJob) => void;
  /** A job was lost by its worker, whoever that was, and is handed out again. */
  onStalled: () => void;
  /** Locks that could not be renewed: somebody else may have these jobs by now. */
  onLocksLost: (jobIds: readonly string[]) => void;
  log: Log;
}

export interface ConsumerRate {
  max: number;
  durationMs: number;
}

export interface ConsumerTiming {
  /** How long a job stays ours without a renewal; renewed at half of it. Default 30 s. */
  lockMs: number;
  /** How often lost locks are looked for. A dead worker's job is handed out again within lock + 2 intervals. Default 5 s. */
  stalledCheckMs: number;
  /** How long one wait for a job lasts. Default 5 s. */
  drainDelayMs: number;
}

export const DEFAULT_TIMING: ConsumerTiming = { lockMs: 30_000, stalledCheckMs: 5_000, drainDelayMs: 5_000 };

/** After a failed fetch; BullMQ's own default of 15 s would be felt after every outage. */
const RUN_RETRY_DELAY_MS = 1_000;
/** BullMQ keeps a delayed job's time times 4,096 as its score. */
const DELAY_SCORE_FACTOR = 4_096;
/** A delayed job this late should have been taken. */
const LATE_MS = 1_000;
/** What is left when all outcomes are written: connections to say goodbye on. */
const CLOSE_MS = 1_000;
const CONNECTED_MS = 100;
/** A request for a job that stays unanswered this long is not waited for; what it takes is handed out again. */
const FETCH_MS = 1_000;

export class Consumer {
  readonly #client: RedisClient;
  readonly #worker: ObservedWorker;
  readonly #options: ConsumerOptions;
  #lastFetchAt = performance.now();
  #hasFetched = false;
  #onChange: (() => void) | undefined;

  /** Opens two connections and begins to take jobs as soon as Redis answers. */
  constructor(options: ConsumerOptions) {
    const { queue, prefix, redis, concurrency, rate, timing, workerName, log } = options;
    this.#options = options;
    this.#client = connect({ config: redis, profile: 'worker', name: `worker:${queue}`, log });
    this.#worker = new ObservedWorker(
      queue,
      // BullMQ makes a signal of its own for functions of three parameters; attempts have theirs.
      (job: BullJob, token?: string) => options.run(job, token ?? ''),
      {
        connection: this.#client,
        prefix,
        name: workerName,
        concurrency,
        ...(rate && { limiter: { max: rate.max, duration: rate.durationMs } }),
        lockDuration: timing.lockMs,
        stalledInterval: timing.stalledCheckMs,
        drainDelay: timing.drainDelayMs / 1_000,
        maxStalledCount: MAX_STALLED_COUNT,
        runRetryDelay: RUN_RETRY_DELAY_MS,
        metrics: { maxDataPoints: METRICS_MINUTES },
      },
      { onFetched: () => this.#fetched(), onChange: () => this.#onChange?.() },
    );
    this.#worker.on('error', (error) => log.warn({ queue, error }, 'worker error'));
    this.#worker.on('stalled', (jobId) => {
      log.warn({ queue, jobId }, 'job lost by its worker, handed out again');
      options.onStalled();
    });
    this.#worker.on('lockRenewalFailed', (jobIds) => options.onLocksLost(jobIds));
    this.#worker.on('active', () => this.#fetched());
    this.#worker.run().catch((error: unknown) => log.error({ queue, error }, 'worker loop ended'));
    this.#worker.on('failed', (job) => {
      if (job?.deferredFailure !== undefined) options.onDeferredFailure(job);
    });
  }

  get hasCapacity(): boolean {
    return this.#worker.processing < this.#options.concurrency;
  }

  /** Milliseconds since Redis last answered a request for a job, with one or without. */
  get lastFetchAgeMs(): number {
    return performance.now() - this.#lastFetchAt;
  }

  /** Makes a delayed job run now. Rejects when it is not delayed. */
  async promote(jobId: string): Promise<void> {
    await this.#worker.getBackend().promote(jobId);
  }

  /** The job's hash. */
  jobKey(jobId: string): string {
    return this.#worker.toKey(jobId);
  }

  /** Not begun: the job comes again after `delayMs`, as if it had not been handed out. */
  async postpone(job: BullJob, token: string, delayMs: number): Promise<void> {
    await this.#worker.getBackend().moveToDelayed(job.id as string, Date.now(), delayMs, token, {
      skipAttempt: true,
      fieldsToUpdate: { ats: Math.max(0, job.attemptsStarted - 1) },
    });
  }

  /** True once Redis has answered a request for a job. */
  get hasFetched(): boolean {
    return this.#hasFetched;
  }

  /** Takes no more jobs, at once; resolves when none runs, what came of them is written, and the connections are closed. */
  async stop(): Promise<void> {
    const closing = this.#worker.close();
    await this.#settled();
    try {
      await within(closing, CLOSE_MS);
    } catch {
      // BullMQ waits for the end of a connection that is just reconnecting, which ioredis then never tells.
      await this.cut();
    }
    await close(this.#client);
  }

  /** The same for a consumer whose loop may hang: what runs goes on to its end, the rest is cut off. */
  async retire(): Promise<void> {
    await this.#worker.pause(true);
    await this.#settled();
    await this.cut();
  }

  /** Drops the connections now; jobs that still run lose their locks and are handed out again. Never rejects. */
  async cut(): Promise<void> {
    void this.#worker.close(true).catch(() => undefined);
    try {
      const blocking = this.#worker.getBackend().blockingClient ?? Promise.resolve(undefined);
      (await within(blocking, CONNECTED_MS))?.disconnect();
    } catch {
      // It never connected: BullMQ's forced close has dropped it.
    }
    this.#client.disconnect();
  }

  /** Whether jobs wait that this queue would hand out now; asked over a client of its own, which fails fast. */
  async hasWork(probe: RedisClient): Promise<boolean> {
    const { wait, prioritized, delayed, limiter, meta } = this.#worker.keys;
    const lateScore = (Date.now() - LATE_MS) * DELAY_SCORE_FACTOR;
    const replies = await probe
      .pipeline()
      .llen(wait as string)
      .zcard(prioritized as string)
      .zcount(delayed as string, '-inf', lateScore)
      .pttl(limiter as string)
      .hexists(meta as string, 'paused')
      .exec();
    const [waiting, urgent, late, limitedMs, isPaused] = (replies ?? []).map(([error, reply]) => {
      if (error) throw error;
      return Number(reply);
    }) as [number, number, number, number, number];
    return waiting + urgent + late > 0 && limitedMs <= 0 && isPaused === 0;
  }

  #fetched(): void {
    this.#lastFetchAt = performance.now();
    this.#hasFetched = true;
  }

  /** Resolves when everything that was taken is written, and, unless Redis is silent, nothing is on its way to be taken. */
  #settled(): Promise<void> {
    const askedAt = performance.now();
    return new Promise((resolve) => {
      const check = () => {
        const isWaitedFor = this.#worker.fetching > 0 && performance.now() - askedAt < FETCH_MS;
        if (this.#worker.processing === 0 && !isWaitedFor) resolve();
      };
      // Between taking a job and working on it BullMQ has promises to resolve.
      this.#onChange = () => setImmediate(check);
      this.#onChange();
      setTimeout(check, FETCH_MS + 1).unref();
    });
  }
}
