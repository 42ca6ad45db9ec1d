/** This file owns what a processor is given beside its payload, and the bounds of what it may tell. */
import type { AttemptFacts } from './attempt.ts';
import type { AttemptContext } from './define.ts';

/** Where progress and log lines of a job go. */
export interface AttemptSink {
  progress(value: unknown): Promise<void>;
  log(line: string): Promise<void>;
}

/** What of an attempt is seen through its context. */
export interface Observed {
  readonly facts: AttemptFacts;
  readonly signal: AbortSignal;
  throwIfAborted(): void;
}

export const MAX_PROGRESS_BYTES = 4_096;
export const MAX_LOG_LINE_BYTES = 8_192;

/** Its members are made when they are looked at, and stay usable when taken apart: `run(payload, { log, signal })`. */
export class Context implements AttemptContext {
  readonly #attempt: Observed;
  readonly #sink: AttemptSink;
  readonly #maxLogLineBytes: number;

  constructor(attempt: Observed, sink: AttemptSink, maxLogLineBytes: number = MAX_LOG_LINE_BYTES) {
    this.#attempt = attempt;
    this.#sink = sink;
    this.#maxLogLineBytes = maxLogLineBytes;
  }

  get jobId(): string {
    return this.#attempt.facts.jobId;
  }

  get queue(): string {
    return this.#attempt.facts.queue;
  }

  get attempt(): number {
    return this.#attempt.facts.attempt;
  }

  get maxAttempts(): number {
    return this.#attempt.facts.maxAttempts;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get progress(): AttemptContext['progress'] {
    return async (value) => {
      this.#attempt.throwIfAborted();
      const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
      if (bytes === 0) throw new RangeError('progress must be JSON');
      if (bytes > MAX_PROGRESS_BYTES) {
        throw new RangeError(`progress of ${bytes} bytes is above the limit of ${MAX_PROGRESS_BYTES}`);
      }
      await this.#sink.progress(value);
    };
  }

  get log(): AttemptContext['log'] {
    return async (line) => {
      this.#attempt.throwIfAborted();
      await this.#sink.log(cutLine(String(line), this.#maxLogLineBytes));
    };
  }
}

export function cutLine(line: string, maxBytes: number): string {
  const bytes = Buffer.byteLength(line);
  if (bytes <= maxBytes) return line;
  // Cut between characters: a broken one decodes to U+FFFD, which is dropped.
  return `${Buffer.from(line)
    .subarray(0, maxBytes)
    .toString()
    .replace(/\uFFFD$/, '')}… (${bytes} bytes)`;
}
