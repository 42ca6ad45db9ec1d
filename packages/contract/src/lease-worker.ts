/**
 * This file owns a worker over HTTP: it takes jobs of one queue by leases, keeps them alive while they are worked on, and
 * says what came of them. Runs wherever `fetch` does.
 *
 *   take (as many as there are places) -> processor -> completed: told together with others
 *                                                   -> threw: failed, for another attempt or for good
 *   heartbeat -> cancelled, lost: the signal aborts                         stop -> finish, then give back what is left
 */
import { ApiError, type Client } from './client.ts';
import { LeaseCompletions, retryMs } from './lease-completions.ts';
import type { RouteReply } from './route.ts';
import type { routes } from './routes/index.ts';

/** What of a client a worker calls. */
export type LeaseClient = Pick<
  Client<typeof routes>,
  | 'takeLeases'
  | 'heartbeatLease'
  | 'completeLeases'
  | 'failLease'
  | 'releaseJobLease'
  | 'reportLeaseProgress'
  | 'addLeaseLogs'
>;

export type Lease = RouteReply<(typeof routes)['takeLeases']>['resource'][number];

/** Why a job's signal is aborted; its `reason` is an `Error` of this name. */
export type LeaseAbort = 'cancelled' | 'lease_lost' | 'shutdown';

export interface LeaseContext {
  /** 1 for the first. */
  readonly attempt: number;
  /** Aborts when somebody cancels the job (told by the next heartbeat), when its lease is lost, or when the worker's stop has no more time. */
  readonly signal: AbortSignal;
  /** Any JSON of at most 4 KiB, shown beside the job. */
  progress(value: unknown): Promise<void>;
  log(...lines: string[]): Promise<void>;
}

/**
 * Its result, any JSON of at most 16 KiB, completes the job. What it throws fails the attempt: for good when the error's
 * `retryable` is `false`, else to be tried again after the job's backoff, or after the error's `retryAfterMs`.
 */
export type LeaseProcessor = (job: Lease['job'], context: LeaseContext) => unknown;

export interface LeaseWorkerOptions {
  client: LeaseClient;
  queue: string;
  processor: LeaseProcessor;
  /** Jobs at the same time; 1 to 100, default 10. */
  concurrency?: number;
  /** How long a job stays ours without a heartbeat; a third of it lies between two. Default 30 s. */
  leaseMs?: number;
  /** How long one request waits for a job; 0 to 30 s, default 20 s. */
  waitSeconds?: number;
  /** Told of what the worker goes on after: a server that does not answer, a lease that was lost. Default: nobody. */
  onError?: (error: unknown) => void;
}

interface RunningLease {
  readonly lease: Lease;
  readonly controller: AbortController;
  /** Somebody else has the job by now: nothing more is told of it. */
  isLost: boolean;
  /** Given back, or settled in another way: its processor's outcome comes too late. */
  isSettled: boolean;
  readonly ended: Promise<void>;
}

const MAX_CONCURRENCY = 100;
const DEFAULT_CONCURRENCY = 10;
const DEFAULT_LEASE_MS = 30_000;
const DEFAULT_WAIT_SECONDS = 20;
const DEFAULT_STOP_MS = 25_000;
const HEARTBEATS_A_LEASE = 3;
/** After a place has come free: others do so in the same moment, and one request takes for all of them. */
const GATHER_MS = 2;
/** For processors to come back from their abort before their jobs are given back. */
const ABORT_GRACE_MS = 1_000;
/** For the last results to reach the server; what does not is done again by others. */
const TELLING_MS = 5_000;
const MAX_MESSAGE_LENGTH = 2_000;
const MAX_STACK_LENGTH = 16_384;

export class LeaseWorker {
  readonly #options: Required<LeaseWorkerOptions>;
  readonly #running = new Set<RunningLease>();
  readonly #completions: LeaseCompletions;
  readonly #stopping = new AbortController();
  #heart: ReturnType<typeof setInterval> | undefined;
  #taking: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #onFree: (() => void) | undefined;
  #onStop: (() => void) | undefined;

  /** Throws `RangeError` for a bound that cannot be kept. Takes nothing before `start`. */
  constructor(options: LeaseWorkerOptions) {
    this.#options = {
      concurrency: DEFAULT_CONCURRENCY,
      leaseMs: DEFAULT_LEASE_MS,
      waitSeconds: DEFAULT_WAIT_SECONDS,
      onError: () => undefined,
      ...options,
    };
    const { concurrency, client } = this.#options;
    if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY)
      throw new RangeError(`concurrency is from 1 to ${MAX_CONCURRENCY}, not ${concurrency}`);
    this.#completions = new LeaseCompletions({
      client,
      onError: (error) => this.#options.onError(error),
      onRefused: (lease, message) => void this.#tellFailure(lease, { message, retryable: false }),
    });
  }

  /** Jobs at work now. */
  get running(): number {
    return this.#running.size;
  }

  /** Begins to take jobs. Twice is once; after `stop` it does nothing. */
  start(): void {
    if (this.#taking || this.#stopped) return;
    const { leaseMs } = this.#options;
    this.#heart = setInterval(() => this.#beat(), leaseMs / HEARTBEATS_A_LEASE);
    this.#taking = this.#takeUntilStopped();
  }

  /**
   * Takes no more; what runs may finish within `deadlineMs` (default 25 s), then its signal aborts, and a second later it
   * is given back for others. Resolves when everything has been told. Never rejects.
   */
  stop(deadlineMs: number = DEFAULT_STOP_MS): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    this.#onFree?.();
    this.#onStop?.();
    await this.#taking;
    const ended = Promise.all([...this.#running].map(({ ended }) => ended));
    await atMost(ended, deadlineMs);
    for (const { controller } of this.#running) abort(controller, 'shutdown', 'the worker is stopping');
    if (this.#running.size > 0) await atMost(ended, ABORT_GRACE_MS);
    await Promise.all([...this.#running].map((each) => this.#giveBack(each)));
    await atMost(this.#completions.flushed(), TELLING_MS);
    clearInterval(this.#heart);
  }

  async #takeUntilStopped(): Promise<void> {
    const { client, queue, concurrency, leaseMs, waitSeconds } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#untilFree();
      if (signal.aborted) return;
      try {
        const { resource } = await client.takeLeases({
          params: { queue },
          body: { count: concurrency - this.#running.size, lease_ms: leaseMs, wait: waitSeconds },
          signal,
        });
        for (const lease of resource) this.#begin(lease);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.onError(error);
        await this.#rest(retryMs(error));
      }
    }
  }

  /** Resolves when a place is free and results do not pile up, or when the worker is to stop. */
  async #untilFree(): Promise<void> {
    const { concurrency } = this.#options;
    if (this.#running.size === 0 && this.#completions.size === 0) return;
    if (this.#running.size >= concurrency) {
      await new Promise<void>((resolve) => {
        this.#onFree = resolve;
      });
    }
    while (this.#completions.size > concurrency && !this.#stopping.signal.aborted)
      await this.#completions.sent();
    await pause(GATHER_MS);
  }

  /** Cut short by a stop. */
  async #rest(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onStop = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #begin(lease: Lease): void {
    const controller = new AbortController();
    const running: RunningLease = {
      lease,
      controller,
      isLost: false,
      isSettled: false,
      ended: Promise.resolve().then(() => this.#work(running)),
    };
    this.#running.add(running);
  }

  async #work(running: RunningLease): Promise<void> {
    const { lease } = running;
    try {
      const result = await this.#options.processor(lease.job, this.#contextOf(running));
      // What is no JSON throws here, alone, and not with others on their way.
      JSON.stringify(result);
      if (!running.isSettled && !running.isLost) this.#completions.add(lease.lease, result);
    } catch (error) {
      await this.#fail(running, error);
    } finally {
      this.#running.delete(running);
      this.#onFree?.();
    }
  }

  #contextOf({ lease, controller }: RunningLease): LeaseContext {
    const { client } = this.#options;
    const params = { lease: lease.lease };
    return {
      attempt: lease.attempt,
      signal: controller.signal,
      progress: async (progress) => {
        await client.reportLeaseProgress({ params, body: { progress } });
      },
      log: async (...lines) => {
        await client.addLeaseLogs({ params, body: { lines } });
      },
    };
  }

  async #fail({ lease, isSettled, isLost }: RunningLease, thrown: unknown): Promise<void> {
    if (!isSettled && !isLost) await this.#tellFailure(lease.lease, failureOf(thrown));
  }

  async #tellFailure(lease: string, failure: Failure): Promise<void> {
    const { message, stack, retryable, delay } = failure;
    try {
      await this.#options.client.failLease({
        params: { lease },
        body: {
          error: { message, ...(stack !== undefined && { stack }) },
          retryable,
          ...(delay !== undefined && { delay }),
        },
      });
    } catch (error) {
      // Not told: the lease runs out, and the job is handed out again.
      this.#options.onError(error);
    }
  }

  async #giveBack(running: RunningLease): Promise<void> {
    running.isSettled = true;
    try {
      await this.#options.client.releaseJobLease({ params: { lease: running.lease.lease }, body: {} });
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #beat(): void {
    for (const running of this.#running) void this.#beatFor(running);
    this.#completions.keepAlive();
  }

  async #beatFor(running: RunningLease): Promise<void> {
    const { client, onError } = this.#options;
    try {
      const { cancel } = await client.heartbeatLease({ params: { lease: running.lease.lease }, body: {} });
      if (cancel) abort(running.controller, 'cancelled', 'somebody asked the job to stop');
    } catch (error) {
      onError(error);
      if (!(error instanceof ApiError) || error.reason !== 'lease_lost') return;
      running.isLost = true;
      abort(running.controller, 'lease_lost', 'the lease ran out, somebody else may have the job');
    }
  }
}

interface Failure {
  message: string;
  stack?: string | undefined;
  retryable: boolean;
  delay?: number | undefined;
}

function failureOf(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { retryable, retryAfterMs } = error as { retryable?: unknown; retryAfterMs?: unknown };
  return {
    message: (error.message || error.name).slice(0, MAX_MESSAGE_LENGTH),
    stack: error.stack?.slice(0, MAX_STACK_LENGTH),
    retryable: retryable !== false,
    delay: typeof retryAfterMs === 'number' ? Math.max(0, Math.round(retryAfterMs)) : undefined,
  };
}

function abort(controller: AbortController, name: LeaseAbort, message: string): void {
  const reason = new Error(message);
  reason.name = name;
  controller.abort(reason);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves when `work` does, or when the time is over; leaves no timer behind. */
async function atMost(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, over]);
  clearTimeout(timer);
}
