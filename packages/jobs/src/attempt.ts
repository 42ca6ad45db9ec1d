/** This file owns one attempt of a job: whether it may begin, its time, its abort, its result, and what comes of it. */
import { DeadlineError, DomainError, within } from '@sluice/runtime';
import type { CatalogEntry } from './catalog.ts';
import { type AbortCode, type Decision, decide, decideThrown } from './decision.ts';
import {
  type AttemptContext,
  DEFAULT_ABORT_GRACE_MS,
  DEFAULT_MAX_RESULT_BYTES,
  type JobDefinition,
  type SchemaIssue,
} from './define.ts';

export interface AttemptFacts {
  readonly queue: string;
  readonly jobId: string;
  readonly name: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly payload: unknown;
  /** How often it was handed to a worker that was never heard of again. */
  readonly lostDeliveries: number;
  /** False once it has been started, also when that start came to nothing. */
  readonly isFirstStart: boolean;
  /** The job's own, before its definition's and the worker's. */
  readonly timeoutMs: number | undefined;
  /** Epoch milliseconds; not started by then, it is not started at all. */
  readonly expiresAt: number | undefined;
}

export type Outcome = { kind: 'completed'; result: unknown } | Decision;

/** Points before and after every attempt of a worker, in the order given; `after` in reverse. */
export interface AttemptMiddleware {
  /** A throw ends the attempt as if the processor had thrown it. Not called for a job that may not begin. */
  before?(attempt: AttemptFacts, signal: AbortSignal): Promise<void> | void;
  /** A throw is logged and changes nothing. */
  after?(attempt: AttemptFacts, outcome: Outcome, durationMs: number): Promise<void> | void;
}

/** Where progress and log lines of a job go. */
export interface AttemptSink {
  progress(value: unknown): Promise<void>;
  log(line: string): Promise<void>;
}

export interface AttemptOptions {
  facts: AttemptFacts;
  /** `undefined`: no job of that name is known here. */
  entry: CatalogEntry | undefined;
  /** Runs a job that wants a process of its own. */
  isolate: (entry: CatalogEntry, payload: unknown, ctx: AttemptContext) => Promise<unknown>;
  sink: AttemptSink;
  middleware: readonly AttemptMiddleware[];
  /** For jobs that name none. */
  defaultTimeoutMs: number;
  maxDeliveries: number;
  /** Told when a processor has not come back from its abort and was left behind. */
  onAbandoned: () => void;
}

export const MAX_PROGRESS_BYTES = 4_096;
export const MAX_LOG_LINE_BYTES = 8_192;
/** Longer than this, and Node's timer fires at once. */
const MAX_TIMER_MS = 2_147_483_647;
const ISSUES_TOLD = 5;
/** For a process that outlived its grace to be gone. */
const KILL_MS = 1_000;

export class Attempt {
  readonly facts: AttemptFacts;
  readonly #options: AttemptOptions;
  readonly #controller = new AbortController();

  constructor(options: AttemptOptions) {
    this.facts = options.facts;
    this.#options = options;
  }

  /** Aborts the processor's signal; the first reason stands. */
  abort(code: AbortCode, message: string): void {
    if (!this.#controller.signal.aborted) this.#controller.abort(new DomainError(code, message));
  }

  /** Runs it to its outcome. Never rejects. */
  async run(): Promise<Outcome> {
    const { facts } = this;
    const admitted = this.#admit();
    if ('kind' in admitted) return admitted;
    const { entry, payload } = admitted;
    const { signal } = this.#controller;
    const timeoutMs = Math.min(
      facts.timeoutMs ?? entry.job.timeoutMs ?? this.#options.defaultTimeoutMs,
      MAX_TIMER_MS,
    );
    const timer = setTimeout(
      () => this.abort('timeout', `the attempt ran longer than ${timeoutMs} ms`),
      timeoutMs,
    );
    try {
      const result = await this.#untilDone(entry.job, () => this.#work(entry, payload));
      // A result that still came in while the worker stops is a result; after a cancel or a timeout it is not.
      if (signal.aborted && abortCode(signal) !== 'shutdown') return this.#decided(decideAbort(signal));
      return storable(entry.job, result);
    } catch (error) {
      // Whatever an aborted processor throws is a consequence of the abort.
      return this.#decided(signal.aborted ? decideAbort(signal) : decideThrown(error));
    } finally {
      clearTimeout(timer);
    }
  }

  #decided(decision: Decision): Decision {
    const isLast = this.facts.attempt >= this.facts.maxAttempts;
    return isLast && (decision.kind === 'retry' || decision.kind === 'delay')
      ? { ...decision, kind: 'fail' }
      : decision;
  }

  #admit(): { entry: CatalogEntry; payload: unknown } | Decision {
    const { facts, entry, maxDeliveries } = this.#options;
    if (facts.lostDeliveries >= maxDeliveries) {
      return decide('max_deliveries', `delivered ${facts.lostDeliveries} times without an outcome`);
    }
    if (facts.isFirstStart && facts.expiresAt !== undefined && Date.now() >= facts.expiresAt) {
      return decide('expired', `not started before ${new Date(facts.expiresAt).toISOString()}`);
    }
    if (!entry) return decide('unknown_job', `no processor named '${facts.name}' is known to this worker`);
    const parsed = entry.job.payload.safeParse(facts.payload);
    if (!parsed.success) return decide('invalid_payload', describeIssues('data', parsed.error.issues));
    return { entry, payload: parsed.data };
  }

  async #work(entry: CatalogEntry, payload: unknown): Promise<unknown> {
    const { facts, middleware, isolate, sink } = this.#options;
    const { signal } = this.#controller;
    for (const each of middleware) await each.before?.(facts, signal);
    const ctx: AttemptContext = {
      jobId: facts.jobId,
      queue: facts.queue,
      attempt: facts.attempt,
      maxAttempts: facts.maxAttempts,
      signal,
      async progress(value) {
        signal.throwIfAborted();
        const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
        if (bytes === 0) throw new RangeError('progress must be JSON');
        if (bytes > MAX_PROGRESS_BYTES)
          throw new RangeError(`progress of ${bytes} bytes is above the limit of ${MAX_PROGRESS_BYTES}`);
        await sink.progress(value);
      },
      async log(line) {
        signal.throwIfAborted();
        await sink.log(cutLine(String(line)));
      },
    };
    return entry.job.isolation === 'process' ? isolate(entry, payload, ctx) : entry.job.run(payload, ctx);
  }

  /** The work's end, or after an abort at most the job's grace: a function cannot be killed, so it is left behind. */
  async #untilDone(job: JobDefinition, work: () => Promise<unknown>): Promise<unknown> {
    const { signal } = this.#controller;
    signal.throwIfAborted();
    const working = work();
    const aborted = new Promise<'aborted'>((resolve) =>
      signal.addEventListener('abort', () => resolve('aborted'), { once: true }),
    );
    if ((await Promise.race([working, aborted])) !== 'aborted' || !signal.aborted) return working;
    try {
      const graceMs = job.abortGraceMs ?? DEFAULT_ABORT_GRACE_MS;
      return await within(working, job.isolation === 'process' ? graceMs + KILL_MS : graceMs);
    } catch (error) {
      if (error instanceof DeadlineError) this.#options.onAbandoned();
      throw error;
    }
  }
}

function storable(job: JobDefinition, result: unknown): Outcome {
  if (result === undefined && !job.result) return { kind: 'completed', result };
  const parsed = job.result?.safeParse(result) ?? { success: true as const, data: result };
  if (!parsed.success) return decide('invalid_result', describeIssues('result', parsed.error.issues));
  const maxBytes = job.maxResultBytes ?? DEFAULT_MAX_RESULT_BYTES;
  try {
    const bytes = Buffer.byteLength(JSON.stringify(parsed.data) ?? '');
    if (bytes <= maxBytes) return { kind: 'completed', result: parsed.data };
    const limit = `the limit of ${maxBytes} of job '${job.name}'`;
    return decide('result_too_large', `the result of ${bytes} bytes is above ${limit}`);
  } catch (error) {
    return decide('invalid_result', 'the result cannot be written as JSON', error);
  }
}

function abortCode(signal: AbortSignal): AbortCode {
  return (signal.reason as DomainError<AbortCode>).code;
}

function decideAbort(signal: AbortSignal): Decision {
  return decide(abortCode(signal), (signal.reason as DomainError<AbortCode>).message);
}

/** Which fields do not fit and why; a schema's messages name what it wanted, not what was there. */
function describeIssues(root: string, issues: readonly SchemaIssue[]): string {
  const told = issues
    .slice(0, ISSUES_TOLD)
    .map(({ path, message }) => `${[root, ...path].map(String).join('.')}: ${message}`);
  const more = issues.length > ISSUES_TOLD ? ` (and ${issues.length - ISSUES_TOLD} more)` : '';
  return `${told.join('; ')}${more}`;
}

function cutLine(line: string): string {
  const bytes = Buffer.byteLength(line);
  if (bytes <= MAX_LOG_LINE_BYTES) return line;
  // Cut between characters: a broken one decodes to U+FFFD, which is dropped.
  return `${Buffer.from(line)
    .subarray(0, MAX_LOG_LINE_BYTES)
    .toString()
    .replace(/\uFFFD$/, '')}… (${bytes} bytes)`;
}
