/**
 * This file owns units charged ahead: a busy key's next charges are paid in advance with one that is asked of Redis, and
 * spent here without a round trip.
 *
 * They count when they are bought. What a process spends just after the end of a window it bought in the window before:
 * so much may a window be exceeded, by each process.
 */

/** Bought units that were not spent by then are lost. */
export const PREPAID_LIFE_MS = 100;
/** Keys of one rule that are watched; the oldest is forgotten first, with what it has. */
const MAX_KEYS = 10_000;
/** What a key that has become busy is given first; each time it was too little, twice as much. */
const FIRST_PURCHASE = 4;

interface Purse {
  units: number;
  boughtAtMs: number;
  /** Units of the last purchase. */
  bought: number;
  /** A purchase is under way: who comes meanwhile pays for himself alone. */
  isBuying: boolean;
  receipt: Receipt | undefined;
}

/** What Redis said when the units were bought; times of the monotonic clock, `epochMs` as in `Denial`. */
export interface Receipt {
  remaining: number;
  nextAtMs: number;
  fullAtMs: number;
  epochMs: number;
}

export class Prepaid {
  readonly #most: number;
  readonly #byKey = new Map<string, Purse>();

  /** `most` units at once for a key. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What was bought and covers `cost` now; `spend` takes it. */
  find(key: string, cost: number, nowMs: number): Readonly<{ units: number; receipt: Receipt }> | undefined {
    const purse = this.#byKey.get(key);
    if (purse?.receipt === undefined || purse.units < cost || nowMs - purse.boughtAtMs >= PREPAID_LIFE_MS)
      return undefined;
    return purse as Purse & { receipt: Receipt };
  }

  spend(key: string, cost: number): void {
    const purse = this.#byKey.get(key);
    if (purse) purse.units -= cost;
  }

  /** How many units to ask for beside the next charge: as many as were used up in a life, 0 for a key that is not busy. */
  order(key: string, nowMs: number): number {
    const purse = this.#byKey.get(key);
    if (purse === undefined) {
      this.#keep(key, { units: 0, boughtAtMs: nowMs, bought: 0, isBuying: false, receipt: undefined });
      return 0;
    }
    const ageMs = nowMs - purse.boughtAtMs;
    const isFresh = ageMs < PREPAID_LIFE_MS;
    if (purse.isBuying && isFresh) return 0;
    const used = purse.bought - purse.units;
    const units = isFresh
      ? Math.max(purse.bought * 2, FIRST_PURCHASE)
      : ageMs < 2 * PREPAID_LIFE_MS
        ? used
        : 0;
    this.#keep(key, { units: 0, boughtAtMs: nowMs, bought: 0, isBuying: units > 0, receipt: undefined });
    return Math.min(units, this.#most);
  }

  /** Puts in what `order` said, once Redis has charged it; 0 when it did not fit. */
  fill(key: string, units: number, nowMs: number, receipt: Receipt): void {
    this.#keep(key, { units, boughtAtMs: nowMs, bought: units, isBuying: false, receipt });
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  #keep(key: string, purse: Purse): void {
    this.#byKey.delete(key);
    if (this.#byKey.size >= MAX_KEYS) {
      for (const oldest of this.#byKey.keys()) {
        this.#byKey.delete(oldest);
        break;
      }
    }
    this.#byKey.set(key, purse);
  }
}
