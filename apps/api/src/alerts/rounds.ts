/** This file owns when alerts are looked after: in rounds, from soon after the start to the stop. What they are is loaded by the first. */
import type { Log, Service } from '@sluice/runtime';
import type { AlertWatch } from './watch.ts';

export class AlertRounds implements Service {
  readonly name = 'alerts';
  readonly #everyMs: number;
  readonly #load: () => Promise<AlertWatch>;
  readonly #log: Log;
  #watch: Promise<AlertWatch> | undefined;
  #round: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;
  #isStopped = false;

  /** `everyMs` 0: never, other processes do it. */
  constructor(options: { everyMs: number; load: () => Promise<AlertWatch>; log: Log }) {
    this.#everyMs = options.everyMs;
    this.#load = options.load;
    this.#log = options.log;
  }

  start(): void {
    this.#next();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#round;
    // Away or slow, Redis forgets who looked by itself.
    await this.#watch?.then((watch) => watch.release()).catch(() => undefined);
  }

  /** For whoever asks about alerts before the first round. */
  watch(): Promise<AlertWatch> {
    this.#watch ??= this.#load();
    return this.#watch;
  }

  #next(): void {
    if (this.#everyMs === 0 || this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#round = this.#look().finally(() => this.#next());
    }, this.#everyMs).unref();
  }

  async #look(): Promise<void> {
    try {
      await (await this.watch()).look();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#log.warn({ err: error }, 'alerts not looked after');
      this.#isFailing = true;
    }
  }
}
