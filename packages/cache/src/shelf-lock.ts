/** This file owns where the locks of one service's shelves lie: a shelf is a slice of its keys, changed by one at a time. */
import { join } from 'node:path';
import { FileLock } from '@sluice/runtime';

export class ShelfLock {
  readonly #folder: string;
  readonly #lock = new FileLock();

  /** `folder` must exist. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Runs `work` alone on a shelf. Throws `storage_busy` after 1.5 s. */
  hold<T>(shelf: string, work: () => Promise<T>): Promise<T> {
    return this.#lock.hold(this.#pathOf(shelf), work);
  }

  /** Runs `work` alone on several. */
  holdAll<T>(shelves: readonly string[], work: () => Promise<T>): Promise<T> {
    return this.#lock.holdAll(
      shelves.map((shelf) => this.#pathOf(shelf)),
      work,
    );
  }

  #pathOf(shelf: string): string {
    return join(this.#folder, `${shelf}.lock`);
  }
}
