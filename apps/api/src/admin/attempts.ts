/** This file owns the bound on wrong keys: so many from one address in so much time, then nobody from there is let in. */
import { addressKey } from '@sluice/rate-limit';
import type { Clock } from '@sluice/runtime';

export const MAX_FAILURES = 10;
export const WINDOW_MS = 15 * 60_000;
/** When so many addresses have failed, those that come after share one count: closed rather than open. */
export const MAX_ADDRESSES = 10_000;
const OVERFLOW = 'everybody else';

interface Count {
  failures: number;
  endsAt: number;
}

/** In this process and in memory: a restart forgets. A right key does not clear the count, or a guesser could. */
export class FailedAttempts {
  readonly #clock: Clock;
  /** The window that ends first comes first. */
  readonly #counts = new Map<string, Count>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until this address may try again; 0: it may now. */
  waitMs(address: string): number {
    const count = this.#count(address);
    return count && count.failures >= MAX_FAILURES ? count.endsAt - this.#clock.monotonicMs() : 0;
  }

  add(address: string): void {
    this.#forgetEnded();
    const known = this.#count(address);
    if (known) {
      known.failures += 1;
      return;
    }
    const network = addressKey(address);
    const name = this.#counts.size < MAX_ADDRESSES ? network : OVERFLOW;
    this.#counts.set(name, { failures: 1, endsAt: this.#clock.monotonicMs() + WINDOW_MS });
  }

  #count(address: string): Count | undefined {
    const own = this.#counts.get(addressKey(address));
    const count = own ?? (this.#counts.size < MAX_ADDRESSES ? undefined : this.#counts.get(OVERFLOW));
    return count && count.endsAt > this.#clock.monotonicMs() ? count : undefined;
  }

  #forgetEnded(): void {
    const now = this.#clock.monotonicMs();
    for (const [name, { endsAt }] of this.#counts) {
      if (endsAt > now) return;
      this.#counts.delete(name);
    }
  }
}
