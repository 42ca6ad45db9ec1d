/**
 * This file owns the ledger: what callers were told about each job, in a file outside Redis that is only appended to. A
 * job counts as told when its line is on disk.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import type { Kind } from './kinds.ts';

/**
 * - `ok` a 2xx
 * - `fail` told that nothing was done: a 4xx, or a 503 with `not_attempted`, in every try
 * - `unknown` all else: a reset, no answer in time, a 503 with `unknown`
 */
export type Class = 'ok' | 'fail' | 'unknown';

export interface Entry {
  /** What the job is told to do at the sink; also its idempotency key, where it has one. */
  key: string;
  kind: Kind;
  queue: string;
  class: Class;
  /** Every id that was ever answered for it. */
  ids: readonly string[];
  /** Epoch milliseconds: first try sent, last answer received. */
  sentAt: number;
  answeredAt: number;
  delayMs: number;
  tries: number;
  /** What the last answer was: a status, or the code of an error. */
  answer: string;
}

/** How long lines are collected before they go to disk together. */
const BATCH_MS = 20;

export class Ledger {
  readonly path: string;
  readonly counts: Record<Class, number> = { ok: 0, fail: 0, unknown: 0 };
  readonly #file: FileHandle;
  #waiting: Entry[] = [];
  #flushing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<Ledger> {
    return new Ledger(path, await open(path, 'ax'));
  }

  /** Callers of a run that was broken off may still come; they are no longer written down. */
  add(entry: Entry): void {
    if (this.#isClosed) return;
    this.#waiting.push(entry);
    this.#timer ??= setTimeout(() => void this.flush(), BATCH_MS);
  }

  /** Resolves when everything added is on disk. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const entries = this.#waiting;
    this.#waiting = [];
    this.#flushing = this.#flushing.then(() => this.#write(entries));
    await this.#flushing;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
    await this.#file.close();
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#file.write(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    await this.#file.datasync();
    for (const entry of entries) this.counts[entry.class] += 1;
  }
}

export async function readLedger(path: string): Promise<Entry[]> {
  const text = await readFile(path, 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry);
}
