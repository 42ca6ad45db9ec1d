/**
 * This file owns how much is begun in one turn of the event loop, and the line of what has to wait for another turn.
 *
 * Node accepts one connection a turn (libuv 1.45). Where a turn takes up all that has come, a busy server accepts a few a
 * second, and a probe of its health waits for many others. What waits here waits for the CPU: for Redis, nobody does yet.
 */

/** What a turn is to take. Two or three of them are no wait for a probe. */
const TURN_MS = 20;

export class Turns {
  /** When each that waits began to, oldest first. */
  readonly #line: number[] = [];
  /** `undefined`: nothing has been begun in this turn. */
  #beganAt: number | undefined;
  /** In this turn. */
  #begun = 0;
  #mayBegin = Number.POSITIVE_INFINITY;
  /** Most of a request may be done in another turn, when Redis has answered: so the length of a turn decides what the next begins. */
  readonly #end = () => {
    const tookMs = performance.now() - (this.#beganAt ?? 0);
    this.#mayBegin =
      tookMs > TURN_MS
        ? Math.ceil((this.#begun * TURN_MS) / tookMs)
        : Math.max(this.#begun, this.#mayBegin) * 2;
    this.#beganAt = undefined;
    this.#begun = 0;
  };

  /** How many wait for a turn. */
  get waiting(): number {
    return this.#line.length;
  }

  /** How long the first of the line has waited; 0 when nobody waits. */
  get waitMs(): number {
    const [first] = this.#line;
    return first === undefined ? 0 : performance.now() - first;
  }

  /** Begins `work` now or, in the order of the calls, in one of the next turns. Settles as `work` does. */
  begin(work: () => Promise<void>): Promise<void> {
    if (this.#line.length === 0 && this.#hasTime()) {
      this.#begun += 1;
      return work();
    }
    this.#line.push(performance.now());
    return new Promise((resolve, reject) => {
      // One for each: what a beginning leaves to microtasks is done before the next one looks at the clock.
      const look = () => {
        if (!this.#hasTime()) {
          setImmediate(look);
          return;
        }
        this.#line.shift();
        this.#begun += 1;
        work().then(resolve, reject);
      };
      setImmediate(look);
    });
  }

  #hasTime(): boolean {
    if (this.#beganAt !== undefined) {
      return this.#begun < this.#mayBegin && performance.now() - this.#beganAt < TURN_MS;
    }
    this.#beganAt = performance.now();
    setImmediate(this.#end);
    return true;
  }
}
