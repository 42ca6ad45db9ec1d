/**
 * This file owns telling results of leased jobs: those that come while a request is under way go together in the next one.
 * A request that was not answered is sent again, which changes nothing when it had been carried out.
 */
import { ApiError } from './client.ts';
import type { LeaseClient } from './lease-worker.ts';

interface Completion {
  lease: string;
  result: unknown;
}

export interface LeaseCompletionsOptions {
  client: Pick<LeaseClient, 'completeLeases' | 'heartbeatLease'>;
  onError: (error: unknown) => void;
  /** The server takes this result from nobody. */
  onRefused: (lease: string, message: string) => void;
}

/** What the server tells of one item of a batch. */
interface ItemReply {
  error?: { message: string; status_code: number; context: { reason: string } };
}

/** In one request. */
const MAX_BATCH = 100;
const RETRY_MS = 1_000;
/** Requests without an answer after which results are dropped: their leases have run out long since. */
const MAX_TRIES = 60;

export class LeaseCompletions {
  readonly #options: LeaseCompletionsOptions;
  #waiting: Completion[] = [];
  /** On their way, or to be sent again. */
  #sending: readonly Completion[] = [];
  #flushing: Promise<void> | undefined;
  #answered: Promise<void> | undefined;

  constructor(options: LeaseCompletionsOptions) {
    this.#options = options;
  }

  add(lease: string, result: unknown): void {
    this.#waiting.push({ lease, result: result === undefined ? null : result });
    this.#flushing ??= this.#flush();
  }

  /** Results that have not reached the server. */
  get size(): number {
    return this.#waiting.length + this.#sending.length;
  }

  /** Resolves when the request under way has been answered. */
  async sent(): Promise<void> {
    await this.#answered;
  }

  /** Resolves when nothing is left to tell. */
  async flushed(): Promise<void> {
    await this.#flushing;
  }

  /** Extends the leases whose results have not reached the server. */
  keepAlive(): void {
    for (const { lease } of [...this.#sending, ...this.#waiting]) {
      // Settled meanwhile, or lost: sending the result says which.
      this.#options.client.heartbeatLease({ params: { lease }, body: {} }).catch(() => undefined);
    }
  }

  async #flush(): Promise<void> {
    // Jobs that end in the same moment go together.
    await Promise.resolve();
    for (let tries = 1; this.#waiting.length > 0; ) {
      this.#sending = this.#waiting.splice(0, MAX_BATCH);
      const sending = this.#send(this.#sending);
      this.#answered = sending.then(() => undefined);
      const again = await sending;
      this.#sending = [];
      tries = again.length === 0 ? 1 : tries + 1;
      if (tries <= MAX_TRIES) this.#waiting.unshift(...again);
    }
    this.#flushing = undefined;
    this.#answered = undefined;
  }

  /** Answers those to be sent again, after the time to wait before that. */
  async #send(batch: readonly Completion[]): Promise<readonly Completion[]> {
    const { client, onError } = this.#options;
    try {
      await client.completeLeases({ query: { continue: 'true' }, body: { resource: [...batch] } });
      return [];
    } catch (error) {
      onError(error);
      const again = this.#left(batch, error);
      if (again.length > 0) await new Promise((resolve) => setTimeout(resolve, retryMs(error)));
      return again;
    }
  }

  #left(batch: readonly Completion[], error: unknown): readonly Completion[] {
    if (!(error instanceof ApiError) || error.status >= 500 || error.status === 429) return batch;
    const replies = (error.context?.resource ?? []) as ItemReply[];
    return batch.filter(({ lease }, index) => {
      const failure = replies[index]?.error;
      if (failure?.context.reason === 'job_invalid') this.#options.onRefused(lease, failure.message);
      return failure !== undefined && failure.status_code >= 500;
    });
  }
}

/** How long to wait before a request is sent again: what the server says, else a second. */
export function retryMs(error: unknown): number {
  const seconds = error instanceof ApiError ? error.retryAfterSeconds : undefined;
  return seconds !== undefined && Number.isFinite(seconds) ? seconds * 1_000 : RETRY_MS;
}
