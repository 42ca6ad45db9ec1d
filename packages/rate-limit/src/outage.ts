/** This file owns the knowledge that Redis is away: who still asks it, and who decides without it at once. */
import type { Clock } from '@sluice/runtime';

/** Between two questions whether Redis is back. */
const ASK_AGAIN_AFTER_MS = 250;

/**
 * ```
 *            failed                  250 ms later, one asks
 *   here ──────────────▶ away ◀──────────────────────────────▶ asking
 *     ▲                              failed                       │
 *     └───────────────────────── answered ────────────────────────┘
 * ```
 */
export class Outage {
  readonly #clock: Clock;
  readonly #onChange: (isAway: boolean) => void;
  #isAway = false;
  #isAsking = false;
  #askAgainAtMs = 0;

  constructor(options: { clock: Clock; onChange: (isAway: boolean) => void }) {
    this.#clock = options.clock;
    this.#onChange = options.onChange;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** Whether to send now. Whoever is told yes calls `answered` or `failed`. */
  mayAsk(): boolean {
    if (!this.#isAway) return true;
    if (this.#isAsking || this.#clock.monotonicMs() < this.#askAgainAtMs) return false;
    this.#isAsking = true;
    return true;
  }

  answered(): void {
    this.#isAsking = false;
    if (this.#isAway) this.#onChange(false);
    this.#isAway = false;
  }

  failed(): void {
    this.#isAsking = false;
    this.#askAgainAtMs = this.#clock.monotonicMs() + ASK_AGAIN_AFTER_MS;
    if (!this.#isAway) this.#onChange(true);
    this.#isAway = true;
  }
}
