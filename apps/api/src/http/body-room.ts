/**
 * This file owns how many bytes of bodies are in memory at once. A body that came with its headers is not among them: the
 * bound on requests bounds those, at the 64 KiB of one read. What counts has come; an announced length costs nobody room.
 */

export class BodyRoom {
  readonly #max: number;
  #taken = 0;
  #refusals = 0;

  /** `max`: bytes, of all bodies together. */
  constructor({ max }: { max: number }) {
    this.#max = max;
  }

  /** Bytes, now. */
  get taken(): number {
    return this.#taken;
  }

  /** Bodies that were given up for want of room since the start. */
  get refusals(): number {
    return this.#refusals;
  }

  /** To be given back. False, and nothing taken: there is no room. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#max) {
      this.#refusals += 1;
      return false;
    }
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}
