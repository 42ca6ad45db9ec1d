/**
 * This file owns how much is begun in one turn of the event loop. Node accepts one connection a turn (libuv 1.45): where a
 * turn takes up all that has come, a busy server accepts a few a second, and a probe of its health waits for many others.
 */

/** Work of a turn beyond this waits for the next. Two or three of them are no wait for a probe. */
const TURN_MS = 20;

export class Turns {
  #waiting = 0;
  /** `undefined`: nothing has been begun in this turn. */
  #beganAt: number | undefined;
  readonly #end = () => {
    this.#beganAt = undefined;
  };

  /** Begins `work` now or, in the order of the calls, in one of the next turns. Settles as `work` does. */
  begin(work: () => Promise<void>): Promise<void> {
    if (this.#waiting === 0 && this.#hasTime()) return work();
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      // One for each: what a beginning leaves to microtasks is done before the next one looks at the clock.
      const look = () => {
        if (!this.#hasTime()) {
          setImmediate(look);
          return;
        }
        this.#waiting -= 1;
        work().then(resolve, reject);
      };
      setImmediate(look);
    });
  }

  #hasTime(): boolean {
    if (this.#beganAt !== undefined) return performance.now() - this.#beganAt < TURN_MS;
    this.#beganAt = performance.now();
    setImmediate(this.#end);
    return true;
  }
}
