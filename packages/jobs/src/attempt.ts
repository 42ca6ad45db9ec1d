/** This file owns one attempt of a job: whether it may begin, its time, its abort, its result, and what comes of it. */
import { DeadlineError, DomainError, within } from '@sluice/runtime';
import type { CatalogEntry } from './catalog.ts';
import { type AttemptSink, Context } from './context.ts';
import { type AbortCode, type Decision, decide, decideThrown, lastDecision } from './decision.ts';
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
  /** From when it was due to its first start; `undefined` at a later one. */
  readonly waitedMs?: number | undefined;
  /** The job's own, before its definition's and the worker's. */
  readonly timeoutMs: number | undefined;
  /** Epoch milliseconds; not started by then, it is not started at all. */
  readonly expiresAt: number | undefined;
}

export type Outcome = { kind: 'completed'; result: unknown } | Decision;

/** Points before and after every attempt of a worker. Those before are called one after the other, in the order given. */
export interface AttemptMiddleware {
  /** A throw ends the attempt as if the processor had thrown it. Not called for a job that may not begin. */
  before?(attempt: AttemptFacts, running: { readonly signal: AbortSignal }): Promise<void> | void;
  /** Begun in reverse order and waited for together, before the outcome is written. A throw is logged and changes nothing. */
  after?(attempt: AttemptFacts, outcome: Outcome, durationMs: number): Promise<void> | void;
}

/** What all attempts of a worker have in common. */
export interface AttemptSettings {
  /** Runs a job that wants a process of its own. */
  isolate: (entry: CatalogEntry, payload: unknown, ctx: AttemptContext) => Promise<unknown>;
  middleware: readonly AttemptMiddleware[];
  /** For jobs that name none. */
  defaultTimeoutMs: number;
  maxDeliveries: number;
  /** Told when a processor has not come back from its abort and was left behind. */
  onAbandoned: (facts: AttemptFacts) => void;
}

export interface AttemptOptions {
  facts: AttemptFacts;
  /** `undefined`: no job of that name is known here. */
  entry: CatalogEntry | undefined;
  sink: AttemptSink;
  settings: AttemptSettings;
}

/** Longer than this, and Node's timer fires at once. */
const MAX_TIMER_MS = 2_147_483_647;
const ISSUES_TOLD = 5;
/** For a process that outlived its grace to be gone. */
const KILL_MS = 1_000;

export class Attempt {
  readonly facts: AttemptFacts;
  readonly #options: AttemptOptions;
  #abortion: DomainError<AbortCode> | undefined;
  #onAbort: (() => void) | undefined;
  /** Made when somebody looks: most jobs are done before anyone could, and it is the dearest part of an attempt. */
  #controller: AbortController | undefined;

  constructor(options: AttemptOptions) {
    this.facts = options.facts;
    this.#options = options;
  }

  /** Aborts the processor's signal; the first reason stands. */
  abort(code: AbortCode, message: string): void {
    if (this.#abortion) return;
    this.#abortion = new DomainError(code, message);
    this.#controller?.abort(this.#abortion);
    this.#onAbort?.();
  }

  throwIfAborted(): void {
    if (this.#abortion) throw this.#abortion;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#abortion) this.#controller.abort(this.#abortion);
    }
    return this.#controller.signal;
  }

  /** Runs it to its outcome. Never rejects. */
  run(): Promise<Outcome> {
    const admitted = this.#admit();
    if ('kind' in admitted) return Promise.resolve(admitted);
    const { entry, payload } = admitted;
    // One promise, not a chain of them: a worker runs ten thousand attempts a second.
    return new Promise((resolve) => {
      const timer = this.#startTimer(entry.job);
      const end = (outcome: Outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      const working = this.#work(entry, payload);
      working.then(
        (result) => end(this.#outcomeOf(entry.job, result)),
        (error: unknown) => end(this.#outcomeOfError(error)),
      );
      this.#onAbort = () => this.#giveUp(entry.job, working, end);
    });
  }

  #startTimer(job: JobDefinition): NodeJS.Timeout {
    const { facts } = this;
    const wantedMs = facts.timeoutMs ?? job.timeoutMs ?? this.#options.settings.defaultTimeoutMs;
    const timeoutMs = Math.min(wantedMs, MAX_TIMER_MS);
    return setTimeout(() => this.abort('timeout', `the attempt ran longer than ${timeoutMs} ms`), timeoutMs);
  }

  #outcomeOf(job: JobDefinition, result: unknown): Outcome {
    // A result that still came in while the worker stops is a result; after a cancel or a timeout it is not.
    const isTooLate = this.#abortion !== undefined && this.#abortion.code !== 'shutdown';
    return isTooLate ? this.#outcomeOfError(undefined) : storable(job, result);
  }

  #outcomeOfError(error: unknown): Outcome {
    // Whatever an aborted processor throws is a consequence of the abort.
    const decision = this.#abortion
      ? decide(this.#abortion.code, this.#abortion.message)
      : decideThrown(error);
    return this.#decided(decision);
  }

  #decided(decision: Decision): Decision {
    const ownMax = decision.kind === 'delay' ? decision.maxAttempts : undefined;
    return this.facts.attempt >= (ownMax ?? this.facts.maxAttempts) ? lastDecision(decision) : decision;
  }

  #admit(): { entry: CatalogEntry; payload: unknown } | Decision {
    const { facts, entry, settings } = this.#options;
    const refusal = refuse(facts, settings.maxDeliveries, Date.now());
    if (refusal) return refusal;
    if (!entry) return decide('unknown_job', `no processor named '${facts.name}' is known to this worker`);
    const parsed = entry.job.payload.safeParse(facts.payload);
    if (!parsed.success) return decide('invalid_payload', describeIssues('data', parsed.error.issues));
    return { entry, payload: parsed.data };
  }

  #work(entry: CatalogEntry, payload: unknown): Promise<unknown> {
    try {
      this.throwIfAborted();
      if (this.#options.settings.middleware.length > 0) return this.#workAfterMiddleware(entry, payload);
      return Promise.resolve(this.#begin(entry, payload));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #workAfterMiddleware(entry: CatalogEntry, payload: unknown): Promise<unknown> {
    for (const each of this.#options.settings.middleware) await each.before?.(this.facts, this);
    return this.#begin(entry, payload);
  }

  #begin(entry: CatalogEntry, payload: unknown): unknown {
    const { isolate } = this.#options.settings;
    const ctx = new Context(this, this.#options.sink, entry.job.maxLogLineBytes);
    return entry.job.isolation === 'process' ? isolate(entry, payload, ctx) : entry.job.run(payload, ctx);
  }

  /** A function cannot be killed: one that does not come back within its grace is left behind. */
  #giveUp(job: JobDefinition, working: Promise<unknown>, end: (outcome: Outcome) => void): void {
    const graceMs = job.abortGraceMs ?? DEFAULT_ABORT_GRACE_MS;
    within(working, job.isolation === 'process' ? graceMs + KILL_MS : graceMs).catch((error: unknown) => {
      if (!(error instanceof DeadlineError)) return;
      this.#options.settings.onAbandoned(this.facts);
      end(this.#outcomeOfError(error));
    });
  }
}

/** What keeps a job from being run at all, wherever it is run; `undefined` when nothing does. */
export function refuse(
  facts: Pick<AttemptFacts, 'lostDeliveries' | 'isFirstStart' | 'expiresAt'>,
  maxDeliveries: number,
  now: number,
): Decision | undefined {
  const { lostDeliveries, isFirstStart, expiresAt } = facts;
  if (lostDeliveries >= maxDeliveries) {
    return decide('max_deliveries', `delivered ${lostDeliveries} times without an outcome`);
  }
  if (isFirstStart && expiresAt !== undefined && now >= expiresAt) {
    return decide('expired', `not started before ${new Date(expiresAt).toISOString()}`);
  }
  return undefined;
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

/** Which fields do not fit and why; a schema's messages name what it wanted, not what was there. */
function describeIssues(root: string, issues: readonly SchemaIssue[]): string {
  const told = issues
    .slice(0, ISSUES_TOLD)
    .map(({ path, message }) => `${[root, ...path].map(String).join('.')}: ${message}`);
  const more = issues.length > ISSUES_TOLD ? ` (and ${issues.length - ISSUES_TOLD} more)` : '';
  return `${told.join('; ')}${more}`;
}
