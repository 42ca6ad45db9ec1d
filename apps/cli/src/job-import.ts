/** This file owns a file of jobs on its way into a queue, as it is told: how far it has come, what was refused, how to go on. */
import type { JobOptions } from '@sluice/jobs/schemas';
import type { Api } from './api.ts';
import { jobLines } from './job-lines.ts';
import { JobSender, type LineOutcome } from './job-sender.ts';
import { counted, print } from './output.ts';
import { told } from './refusal.ts';
import type { Terminal } from './terminal.ts';

export interface JobImportOptions {
  api: Api;
  terminal: Terminal;
  queue: string;
  /** Each line is the data of a job of this name. */
  jobName: string | undefined;
  opts: JobOptions | undefined;
  /** Names the sending; see `jobLines`. */
  run: string;
  /** Nobody chose the name, so it must be told to whoever wants to go on. */
  isRunTold: boolean;
  batchSize: number;
  fromLine: number;
  isContinued: boolean;
}

export interface ImportEnd {
  ending: 'done' | 'refused' | 'interrupted';
  /** In words: `12,500 jobs`. */
  enqueued: string;
  refused: number;
  /** How to go on. */
  advice: string;
}

/** A line that is written over, and lines one below the other in a log. */
const REDRAW_EVERY_MS = 100;
const TELL_EVERY_MS = 5_000;

export class JobImport {
  readonly #options: JobImportOptions;
  #enqueued = 0;
  #refused = 0;
  #lastLine = 0;
  #toldAt = performance.now();
  #isDrawn = false;

  constructor(options: JobImportOptions) {
    this.#options = options;
  }

  /** `source` absent: nothing comes. Rejects as the client does, with how far it came told already. */
  async send(source: AsyncIterable<Uint8Array> | undefined, signal: AbortSignal): Promise<ImportEnd> {
    const { api, terminal, queue, batchSize, isContinued } = this.#options;
    const sender = new JobSender({
      api,
      queue,
      batchSize,
      isContinued,
      signal,
      onOutcome: (outcome) => this.#told(outcome),
      onRetry: (error, waitMs) => this.#retried(error, waitMs),
    });
    try {
      const lines = jobLines(unlessAborted(source, signal), this.#options);
      const ending = await sender.send(lines);
      this.#clear();
      const enqueued = counted(this.#enqueued, 'job');
      return { ending, enqueued, refused: this.#refused, advice: this.#advice() };
    } catch (error) {
      this.#clear();
      if (this.#lastLine > 0)
        terminal.err(`Stopped with ${counted(this.#enqueued, 'job')} enqueued. ${this.#advice()}\n`);
      throw error;
    }
  }

  #told(outcome: LineOutcome): void {
    const { api, terminal } = this.#options;
    this.#lastLine = outcome.line;
    const isRefused = 'error' in outcome;
    if (isRefused) this.#refused += 1;
    else this.#enqueued += 1;
    if (api.isJson || isRefused) this.#clear();
    if (api.isJson) print(terminal, [JSON.stringify(outcome)]);
    else if (isRefused) {
      terminal.err(`line ${outcome.line}: ${told(outcome.error)}\n`);
    }
    this.#draw();
  }

  #retried(error: unknown, waitMs: number): void {
    const { api, terminal } = this.#options;
    this.#clear();
    const why = api.refusal(error)?.message ?? 'The API does not answer.';
    terminal.err(`${why} Trying again in ${Math.ceil(waitMs / 1_000)} s.\n`);
  }

  #draw(): void {
    const { terminal } = this.#options;
    const now = performance.now();
    if (now - this.#toldAt < (terminal.isWatched ? REDRAW_EVERY_MS : TELL_EVERY_MS)) return;
    this.#toldAt = now;
    const text = `${counted(this.#enqueued, 'job')} enqueued, up to line ${this.#lastLine.toLocaleString('en')}`;
    terminal.err(terminal.isWatched ? `\r${text}` : `${text}\n`);
    this.#isDrawn = terminal.isWatched === true;
  }

  /** Takes back the line that would be written over. */
  #clear(): void {
    if (this.#isDrawn) this.#options.terminal.err('\r\u001b[K');
    this.#isDrawn = false;
  }

  #advice(): string {
    const { run, isRunTold } = this.#options;
    const how = isRunTold ? `the same again with --run ${run}` : 'the same command again';
    return `Send ${how}: what is enqueued already is not enqueued twice.`;
  }
}

/** What comes of `source` until `signal` aborts: a reader that waits for input would not look at it. */
async function* unlessAborted(
  source: AsyncIterable<Uint8Array> | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (!source) return;
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const chunks = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await Promise.race([chunks.next(), aborted]);
      if (!result || result.done) return;
      yield result.value;
    }
  } finally {
    // Not awaited: while it waits for input it does not come back.
    chunks.return?.().catch(() => undefined);
  }
}
