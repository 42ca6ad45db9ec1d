/** This file owns calls at a pace of their own: the next one does not wait for the answer to the one before. */
import { sleepUntil } from './random.ts';

export class OpenLoop {
  readonly #everyMs: number;
  readonly #call: (number: number) => Promise<void>;
  readonly #calls = new Set<Promise<void>>();
  #isStopping = false;
  #pacing: Promise<void> | undefined;

  /** `call` is told how many came before it. */
  constructor({ everyMs, call }: { everyMs: number; call: (number: number) => Promise<void> }) {
    this.#everyMs = everyMs;
    this.#call = call;
  }

  start(): void {
    this.#pacing = this.#pace();
  }

  /** Resolves when each call has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#pacing;
    await Promise.all(this.#calls);
  }

  async #pace(): Promise<void> {
    const begun = Date.now();
    for (let made = 0; !this.#isStopping; made += 1) {
      await sleepUntil(begun + made * this.#everyMs);
      const call = this.#call(made);
      this.#calls.add(call);
      void call.finally(() => this.#calls.delete(call));
    }
  }
}
