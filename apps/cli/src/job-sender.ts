/**
 * This file owns sending many jobs: batch by batch, in the order of their lines, through refusals and short absences.
 *
 *   batch -> stored · a line is refused -> those before it are stored, and it ends (or all that can be, and it goes on)
 *         · too large -> halves · away, limited, full -> again, within its patience: every job has an idempotency key
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Api } from './api.ts';
import type { JobLine, LineJob } from './job-lines.ts';
import { type Refusal, refusalOf } from './refusal.ts';

export type LineOutcome = { line: number; id: string } | { line: number; error: Refusal };

export interface SendOptions {
  api: Api;
  queue: string;
  /** Jobs in a request. */
  batchSize: number;
  /** Go on after a refusal. */
  isContinued: boolean;
  /** Looked at between requests. */
  signal: AbortSignal;
  /** Of each line, in order. */
  onOutcome(outcome: LineOutcome): void;
  /** A try has failed, and there will be another after `waitMs`. */
  onRetry(error: unknown, waitMs: number): void;
}

type Sendable = JobLine & { job: LineJob };
type Ending = 'done' | 'refused' | 'interrupted';

/** Half of what a server takes by default. */
const MAX_BATCH_BYTES = 4 * 1_048_576;
/** How long a batch that is not full waits for more lines. */
const LINGER_MS = 500;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 8_000;
/** How long the same request is tried, when one before it has been answered. */
const PATIENCE_MS = 60_000;
const PASSING: ReadonlySet<number> = new Set([429, 503]);
const TOO_LARGE = 413;

export class JobSender {
  readonly #options: SendOptions;
  #isAnswered = false;

  constructor(options: SendOptions) {
    this.#options = options;
  }

  /** Rejects, as the client does, when the API refuses a whole request, or stays away. */
  async send(lines: AsyncIterable<JobLine>): Promise<Ending> {
    const arriving = lines[Symbol.asyncIterator]();
    try {
      return await this.#sendAll(arriving);
    } finally {
      // Not awaited: while it waits for input it does not come back.
      arriving.return?.().catch(() => undefined);
    }
  }

  async #sendAll(arriving: AsyncIterator<JobLine>): Promise<Ending> {
    const { batchSize, isContinued, signal } = this.#options;
    let batch: Sendable[] = [];
    let bytes = 0;
    let due: Promise<undefined> | undefined;
    const flush = async (): Promise<boolean> => {
      const sent = batch;
      batch = [];
      bytes = 0;
      due = undefined;
      return sent.length === 0 || (await this.#sendBatch(sent));
    };
    let next = nextOf(arriving);
    for (;;) {
      const result = await (due ? Promise.race([next, due]) : next);
      if (signal.aborted) return 'interrupted';
      if (result?.done) return (await flush()) ? 'done' : 'refused';
      if (result === undefined) {
        if (!(await flush())) return 'refused';
        continue;
      }
      next = nextOf(arriving);
      const { value: line } = result;
      const { job } = line;
      if (job !== undefined) {
        batch.push({ ...line, job });
        bytes += line.bytes;
        due ??= wait(LINGER_MS, undefined, { ref: false });
        const isFull = batch.length >= batchSize || bytes >= MAX_BATCH_BYTES;
        if (isFull && !(await flush())) return 'refused';
        continue;
      }
      if (!(await flush())) return 'refused';
      this.#options.onOutcome({ line: line.number, error: faultOf(line) });
      if (!isContinued) return 'refused';
    }
  }

  /** False: a line was refused, and those before it are stored. */
  async #sendBatch(batch: readonly Sendable[]): Promise<boolean> {
    const { api, queue, isContinued, onOutcome } = this.#options;
    try {
      const reply = await this.#patiently(() =>
        api.client.enqueueJobs({
          params: { queue },
          query: isContinued ? { continue: 'true' } : {},
          body: { resource: batch.map(({ job }) => job) },
        }),
      );
      const ids = 'resource' in reply ? reply.resource.map(({ id }) => id ?? '') : [];
      for (const [at, { number }] of batch.entries()) onOutcome({ line: number, id: ids[at] ?? '' });
      return true;
    } catch (error) {
      const refusal = api.refusal(error);
      if (refusal?.status === TOO_LARGE && batch.length > 1) {
        const half = Math.ceil(batch.length / 2);
        return (await this.#sendBatch(batch.slice(0, half))) && (await this.#sendBatch(batch.slice(half)));
      }
      if (refusal?.status === TOO_LARGE) return this.#refused(batch[0] as Sendable, refusalOf(refusal));
      const results = resultsIn(refusal?.context);
      if (!results) throw error;
      if (isContinued) {
        for (const [at, { number }] of batch.entries()) onOutcome(outcomeOf(number, results[at]));
        return true;
      }
      const first = results.findIndex(({ error: each }) => each && each.context.reason !== 'batch_refused');
      const at = Math.max(first, 0);
      // The batch is all or nothing: what stands before the line that is wrong is sent by itself.
      if (at > 0 && !(await this.#sendBatch(batch.slice(0, at)))) return false;
      onOutcome(outcomeOf((batch[at] as Sendable).number, results[at]));
      return false;
    }
  }

  #refused({ number }: Sendable, error: Refusal): boolean {
    this.#options.onOutcome({ line: number, error });
    return this.#options.isContinued;
  }

  async #patiently<T>(send: () => Promise<T>): Promise<T> {
    const { api, signal, onRetry } = this.#options;
    const startedAt = performance.now();
    let waitMs = FIRST_WAIT_MS;
    for (;;) {
      try {
        const reply = await send();
        this.#isAnswered = true;
        return reply;
      } catch (error) {
        const refusal = api.refusal(error);
        const isPassing = refusal ? isOfTheMoment(refusal) : this.#isAnswered && api.isAway(error);
        if (refusal) this.#isAnswered = true;
        const advisedMs = (refusal?.retryAfterSeconds ?? 0) * 1_000;
        const pauseMs = Math.max(waitMs, advisedMs);
        const isLate = performance.now() - startedAt + pauseMs > PATIENCE_MS;
        if (!isPassing || isLate || signal.aborted) throw error;
        onRetry(error, pauseMs);
        await wait(pauseMs, undefined, { signal }).catch(() => undefined);
        waitMs = Math.min(waitMs * 2, MAX_WAIT_MS);
      }
    }
  }
}

/** A rejection is for whoever awaits it, maybe later than it comes. */
function nextOf(arriving: AsyncIterator<JobLine>): Promise<IteratorResult<JobLine>> {
  const next = arriving.next();
  next.catch(() => undefined);
  return next;
}

/** The server is away or full: of the request, or of one of its jobs. */
function isOfTheMoment({ status, context }: { status: number; context: unknown }): boolean {
  if (PASSING.has(status)) return true;
  return resultsIn(context)?.some(({ error }) => error && PASSING.has(error.status_code)) ?? false;
}

interface BatchResult {
  id?: string;
  error?: { status_code: number; message: string; context: { reason: string; request_id?: string } };
}

/** Of a failed batch: what became of each item. `undefined` when it is another refusal. */
function resultsIn(context: unknown): readonly BatchResult[] | undefined {
  if (typeof context !== 'object' || context === null) return undefined;
  const { reason, resource } = context as { reason?: unknown; resource?: unknown };
  return reason === 'batch_failed' && Array.isArray(resource) ? (resource as BatchResult[]) : undefined;
}

function outcomeOf(line: number, result: BatchResult | undefined): LineOutcome {
  if (result?.error === undefined) return { line, id: result?.id ?? '' };
  const { status_code: status, message, context } = result.error;
  return {
    line,
    error: { status, reason: context.reason, message, request_id: context.request_id ?? null },
  };
}

function faultOf({ number, fault = 'it is no job' }: JobLine): Refusal {
  return {
    status: null,
    reason: 'line_invalid',
    message: `line ${number} cannot be sent: ${fault}`,
    request_id: null,
  };
}
