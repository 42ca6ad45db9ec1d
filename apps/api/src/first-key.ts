/** This file owns the first key: made when Redis can be asked for the first time, shown once. */
import type { KeyRing } from '@sluice/access';
import { redisFault } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';

const RETRY_MS = 250;

/** Makes sure that somebody can enter, as soon as Redis answers; the API listens meanwhile. `show` gets a generated key, once. */
export class FirstKey implements Service {
  readonly name = 'first key';
  readonly #keyRing: KeyRing;
  readonly #log: Log;
  readonly #show: (key: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isSettled = false;

  constructor(options: { keyRing: KeyRing; log: Log; show: (key: string) => void }) {
    this.#keyRing = options.keyRing;
    this.#log = options.log;
    this.#show = options.show;
  }

  start(): void {
    void this.#ensure();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Whether everybody who may enter can: before that an unknown key may be the first one. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  async #ensure(): Promise<void> {
    try {
      const made = await this.#keyRing.ensureFirstKey();
      this.#isSettled = true;
      if (made) this.#show(made.key);
    } catch (error) {
      if (!redisFault(error)) {
        // Another master secret, for one: no retry mends it, and each would be one more line.
        this.#log.error({ error }, 'first key not made');
        this.#isSettled = true;
        return;
      }
      if (!this.#isStopped) this.#timer = setTimeout(() => void this.#ensure(), RETRY_MS);
    }
  }
}
