/** This file owns which queues this process serves: one job worker for each, appearing and going as queues do. */
import type { JobWorker, WorkerHealth } from '@sluice/jobs/worker';
import type { Log, Service } from '@sluice/runtime';
import { isPlainName, servesQueue } from './queue-pattern.ts';

export interface FleetOptions {
  /** Names, patterns, and patterns left out with `!`; a plain name is served before its queue exists. */
  patterns: readonly string[];
  listQueues: () => Promise<string[]>;
  /** Makes a queue that is served by name known to consoles, also when its jobs come from elsewhere. */
  registerQueue: (queue: string) => Promise<void>;
  createWorker: (queue: string) => JobWorker;
  /** How many queues this process serves at most; what comes after them waits for another process. */
  maxQueues: number;
  /** For running jobs when the process stops. */
  stopDeadlineMs: number;
  log: Log;
}

/** A job in a new queue waits this long at most for its worker. */
const POLL_MS = 500;

export class Fleet implements Service {
  readonly name = 'workers';
  readonly #options: FleetOptions;
  readonly #workers = new Map<string, JobWorker>();
  readonly #leaving = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isRegistered = false;
  #isReachable = false;
  readonly #unserved = new Set<string>();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Begins to serve; Redis need not be there yet. */
  start(): void {
    for (const name of this.#plainNames()) this.#serve(name);
    void this.#poll();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const { stopDeadlineMs } = this.#options;
    await Promise.all([
      ...this.#leaving,
      ...[...this.#workers.values()].map((worker) => worker.stop(stopDeadlineMs)),
    ]);
  }

  /** False while Redis does not tell which queues there are. */
  get isReachable(): boolean {
    return this.#isReachable;
  }

  health(): WorkerHealth[] {
    return [...this.#workers.values()].map((worker) => worker.health());
  }

  /** Queues that this process is to serve, and does not since it serves as many as it may. */
  get unserved(): readonly string[] {
    return [...this.#unserved];
  }

  async #poll(): Promise<void> {
    try {
      if (!this.#isRegistered) await Promise.all(this.#plainNames().map(this.#options.registerQueue));
      this.#isRegistered = true;
      this.#follow(await this.#options.listQueues());
      this.#isReachable = true;
    } catch {
      // The queues served stay served.
      this.#isReachable = false;
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }

  #follow(known: readonly string[]): void {
    if (this.#isStopped) return;
    const { patterns } = this.#options;
    const wanted = new Set([...this.#plainNames(), ...known.filter((queue) => servesQueue(patterns, queue))]);
    for (const queue of this.#workers.keys()) if (!wanted.has(queue)) this.#leave(queue);
    for (const queue of this.#unserved) if (!wanted.has(queue)) this.#unserved.delete(queue);
    for (const queue of wanted) this.#serve(queue);
  }

  #serve(queue: string): void {
    if (this.#workers.has(queue)) return;
    const { log, createWorker, maxQueues } = this.#options;
    if (this.#workers.size >= maxQueues) {
      if (!this.#unserved.has(queue))
        log.error(
          { queue, maxQueues },
          'queue not served: raise WORKER_MAX_QUEUES, or split by WORKER_QUEUES',
        );
      this.#unserved.add(queue);
      return;
    }
    this.#unserved.delete(queue);
    this.#workers.set(queue, createWorker(queue));
    log.info({ queue }, 'queue served');
  }

  /** Its queue was obliterated. */
  #leave(queue: string): void {
    const worker = this.#workers.get(queue);
    if (!worker) return;
    this.#workers.delete(queue);
    this.#options.log.info({ queue }, 'queue gone');
    const leaving = worker.stop(this.#options.stopDeadlineMs);
    this.#leaving.add(leaving);
    void leaving.finally(() => this.#leaving.delete(leaving));
  }

  #plainNames(): string[] {
    const { patterns } = this.#options;
    return patterns.filter((each) => isPlainName(each) && servesQueue(patterns, each));
  }
}
