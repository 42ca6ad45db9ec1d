/**
 * This file owns how many requests this process may work on at once and still answer each in time. What its CPU cannot do
 * waits in sockets, where nobody counts it, so that a fixed number alone never fills: a busy process is asked instead how
 * fast it finishes, and may hold what it finishes in `TARGET_MS` (Little's law). One that has time to spare may hold all.
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';

/** What a request waits for those before it. A caller is promised an answer in 2 s. */
const TARGET_MS = 250;
/** As much is always worked on: a few large requests are not a crowd. */
const FEW = 16;
const LOOK_MS = 100;
/** Share of its time in which the event loop has work. */
const BUSY = 0.95;
/** Of the latest look in the average: a few looks are a moment. */
const WEIGHT = 0.3;

export class Capacity {
  readonly #max: number;
  #limit: number;
  #finished = 0;
  /** While it is busy, on average; `undefined`: it is not, or has just become so. */
  #finishedPerMs: number | undefined;
  #looker: NodeJS.Timeout | undefined;
  #lookedAt = 0;
  #utilization: EventLoopUtilization | undefined;

  /** `max`: never more than so many at once. */
  constructor({ max }: { max: number }) {
    this.#max = max;
    this.#limit = max;
  }

  /** Requests at once, just now. */
  get limit(): number {
    return this.#limit;
  }

  /** A request has been taken up. Looks go on from now on, until a look finds that nothing was finished. */
  begin(): void {
    if (this.#looker) return;
    this.#lookedAt = performance.now();
    this.#utilization = performance.eventLoopUtilization();
    this.#looker = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** A request has been answered. */
  end(): void {
    this.#finished += 1;
  }

  #look(): void {
    const now = performance.now();
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    const perMs = this.#finished / (now - this.#lookedAt);
    this.#lookedAt = now;
    this.#utilization = performance.eventLoopUtilization();
    if (this.#finished === 0) {
      clearInterval(this.#looker);
      this.#looker = undefined;
    }
    this.#finished = 0;
    if (utilization < BUSY || perMs === 0) {
      this.#finishedPerMs = undefined;
      this.#limit = this.#max;
      return;
    }
    // Of a process that has just become busy one look knows too little.
    if (this.#finishedPerMs === undefined) {
      this.#finishedPerMs = perMs;
      return;
    }
    this.#finishedPerMs += WEIGHT * (perMs - this.#finishedPerMs);
    this.#limit = Math.min(this.#max, Math.max(FEW, Math.round(this.#finishedPerMs * TARGET_MS)));
  }
}
