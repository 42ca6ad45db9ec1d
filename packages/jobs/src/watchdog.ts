/** This file owns the question "do jobs wait while nobody asks for them?", and when that has gone on for too long. */

export interface WatchdogOptions {
  checkMs: number;
  /** Silence longer than this is not chance. */
  limitMs: number;
  /** Whether the queue has jobs to hand out. A rejection means that Redis is away: nobody's fault. */
  hasWork: () => Promise<boolean>;
  hasCapacity: () => boolean;
  lastFetchAgeMs: () => number;
  /** Called once per `limitMs` of silence. */
  onStuck: (silentMs: number) => void;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #timer: NodeJS.Timeout;
  #workSeenAt: number | undefined;
  #isReachable = true;
  #isChecking = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#check(), options.checkMs).unref();
  }

  /** False when Redis did not answer the last check. */
  get isReachable(): boolean {
    return this.#isReachable;
  }

  /** How long jobs have been waiting without anybody asking for them, in milliseconds; 0 when all is well. */
  get silentMs(): number {
    if (this.#workSeenAt === undefined) return 0;
    return Math.min(performance.now() - this.#workSeenAt, this.#options.lastFetchAgeMs());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    try {
      const hasWork = await this.#options.hasWork();
      this.#isReachable = true;
      if (hasWork && this.#options.hasCapacity()) this.#workSeenAt ??= performance.now();
      else this.#workSeenAt = undefined;
    } catch {
      this.#isReachable = false;
      this.#workSeenAt = undefined;
    } finally {
      this.#isChecking = false;
    }
    const { silentMs } = this;
    if (silentMs < this.#options.limitMs) return;
    this.#workSeenAt = undefined;
    this.#options.onStuck(silentMs);
  }
}
