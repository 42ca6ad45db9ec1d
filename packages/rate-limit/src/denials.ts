/** This file owns the memory of refusals: a refused key is refused again without a round trip until its time has come. */

/** Keys remembered of one rule; the oldest is forgotten first, which costs a round trip and nothing else. */
export const MAX_DENIALS = 10_000;
/** A key is asked about again this often, so that a reset made elsewhere counts here at last. */
export const RECHECK_AFTER_MS = 5_000;

/** Times are of the monotonic clock. */
export interface Denial {
  /** What was refused; less might fit. */
  readonly cost: number;
  readonly remaining: number;
  readonly untilMs: number;
  readonly fullAtMs: number;
  readonly recheckAtMs: number;
  /** How far Redis' clock (since the epoch) is ahead of the monotonic one. */
  readonly epochMs: number;
}

export class Denials {
  readonly #byKey = new Map<string, Denial>();

  get size(): number {
    return this.#byKey.size;
  }

  /** The refusal that holds for this cost now. */
  find(key: string, cost: number, nowMs: number): Denial | undefined {
    const denial = this.#byKey.get(key);
    if (denial === undefined) return undefined;
    if (nowMs >= denial.untilMs || nowMs >= denial.recheckAtMs) {
      this.#byKey.delete(key);
      return undefined;
    }
    return cost >= denial.cost ? denial : undefined;
  }

  /** Refusals that hold now, the youngest first; at most `most`. */
  list(nowMs: number, most: number): [key: string, denial: Denial][] {
    const held = [...this.#byKey].filter(([, { untilMs }]) => untilMs > nowMs);
    return held.reverse().slice(0, most);
  }

  remember(key: string, denial: Denial): void {
    this.#byKey.delete(key);
    if (this.#byKey.size >= MAX_DENIALS) {
      for (const oldest of this.#byKey.keys()) {
        this.#byKey.delete(oldest);
        break;
      }
    }
    this.#byKey.set(key, denial);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }
}
