/** This file owns the removal of expired files: one shelf of 256 at a time, on a timer that keeps no process alive. */
import { eachBounded } from './file-each.ts';
import { type FileTable, SHELVES } from './file-table.ts';
import type { ShelfLock } from './shelf-lock.ts';

/** 256 shelves, one each 10 s: an expired file is gone within 43 minutes. Reads never answer it, so nothing waits for that. */
const SWEEP_EVERY_MS = 10_000;
/** Files looked at on one shelf in one sweep, from a place chosen anew each time. */
const MAX_FILES = 2_000;

export class FileSweep {
  readonly #tables: readonly FileTable[];
  readonly #lock: ShelfLock;
  readonly #timer: NodeJS.Timeout;
  /** Where to begin is random, so that processes that start together do not sweep the same shelf. */
  #at = Math.floor(Math.random() * SHELVES.length);
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: { tables: readonly FileTable[]; lock: ShelfLock }) {
    this.#tables = options.tables;
    this.#lock = options.lock;
    this.#timer = setInterval(() => {
      // A shelf that could not be swept is swept next time round.
      this.#running = this.sweepShelf().catch(() => undefined);
    }, SWEEP_EVERY_MS);
    this.#timer.unref();
  }

  /** Sweeps the next shelf; answers how many records were removed. */
  async sweepShelf(): Promise<number> {
    const shelf = SHELVES[this.#at] as string;
    this.#at = (this.#at + 1) % SHELVES.length;
    let removed = 0;
    for (const table of this.#tables) removed += await this.#sweep(table, shelf);
    return removed;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async #sweep(table: FileTable, shelf: string): Promise<number> {
    const { names, remnants } = await table.shelf(shelf);
    await eachBounded(remnants, (file) => table.removeRemnant(shelf, file));
    const from = Math.floor(Math.random() * Math.max(1, names.length - MAX_FILES + 1));
    const dead = await eachBounded(names.slice(from, from + MAX_FILES), async (name) =>
      (await isDead(table, name)) ? [name] : [],
    );
    if (dead.flat().length === 0) return 0;
    // Looked at again under the lock: a writer may have renewed it meanwhile.
    const gone = await this.#lock.hold(shelf, () =>
      eachBounded(
        dead.flat(),
        async (name) => (await isDead(table, name)) && (await table.removeNamed(name)),
      ),
    );
    return gone.filter(Boolean).length;
  }
}

/** Expired, or torn. */
async function isDead(table: FileTable, name: string): Promise<boolean> {
  const record = await table.readNamed(name);
  return record === null || !table.isLive(record);
}
