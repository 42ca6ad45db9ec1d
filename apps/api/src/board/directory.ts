/** This file owns which queues the board shows: new ones appear, gone ones go, without a restart. */
import type { Log } from '@sluice/runtime';
import type { Queue } from './bullmq.ts';
import type { Redaction } from './redaction.ts';
import { type BoardJobs, ShownQueue } from './shown-queue.ts';

/** The page asks about every queue each time it looks; a longer list would cost more than it tells. */
export const MAX_SHOWN_QUEUES = 500;
/** How old the list may be. */
const FRESH_MS = 1_000;

export interface QueueSource {
  /** Names of the queues there are. */
  names(): Promise<readonly string[]>;
  open(name: string): Queue;
  /** Whether a job can have this id. */
  isJobId(id: string): boolean;
  jobs: BoardJobs;
}

/** What one visitor may know of, and act on. */
export interface Visitor {
  sees(queue: string): boolean;
  acts(queue: string): boolean;
}

/** One queue for those who may only look, and for those who may act. */
interface Entry {
  reader: ShownQueue;
  operator: ShownQueue;
}

export class QueueDirectory {
  readonly #source: QueueSource;
  readonly #redaction: Redaction;
  readonly #log: Log;
  #entries: ReadonlyMap<string, Entry> = new Map();
  #loading: Promise<void> | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #isCutReported = false;

  constructor(options: { source: QueueSource; redaction: Redaction; log: Log }) {
    this.#source = options.source;
    this.#redaction = options.redaction;
    this.#log = options.log;
  }

  /** The queues by name, at most a second old, that this visitor may know of. Rejects while Redis is away. */
  async list(visitor: Visitor): Promise<Map<string, ShownQueue>> {
    await this.refresh();
    const shown = new Map<string, ShownQueue>();
    for (const [name, { reader, operator }] of this.#entries) {
      if (visitor.sees(name)) shown.set(name, visitor.acts(name) ? operator : reader);
    }
    return shown;
  }

  async refresh(): Promise<void> {
    if (performance.now() - this.#loadedAt < FRESH_MS) return;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #load(): Promise<void> {
    const names = [...(await this.#source.names())].sort();
    if (names.length > MAX_SHOWN_QUEUES && !this.#isCutReported) {
      this.#log.warn({ queues: names.length, shown: MAX_SHOWN_QUEUES }, 'more queues than the board shows');
    }
    this.#isCutReported = names.length > MAX_SHOWN_QUEUES;
    const shown = names.slice(0, MAX_SHOWN_QUEUES);
    this.#entries = new Map(shown.map((name) => [name, this.#entries.get(name) ?? this.#open(name)]));
    this.#loadedAt = performance.now();
  }

  #open(name: string): Entry {
    const queue = this.#source.open(name);
    const { isJobId, jobs } = this.#source;
    const options = { queue, jobs, redaction: this.#redaction, isJobId };
    return {
      reader: new ShownQueue({ ...options, isReadOnly: true }),
      operator: new ShownQueue({ ...options, isReadOnly: false }),
    };
  }
}
