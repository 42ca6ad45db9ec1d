/** This file owns leases on disk: a record beside the entry's, changed under the entry's lock. */
import type { Clock } from '@sluice/runtime';
import type { LeaseState, LeaseStore, StoredInput } from './driver.ts';
import { etagOf } from './entry.ts';
import { type FileRecord, type FileTable, shelfOf } from './file-table.ts';
import type { ShelfLock } from './shelf-lock.ts';

interface Holding {
  state: 'held' | 'cooling' | 'missing';
  token?: string;
  /** The entry's ETag when the lease was given; absent when there was none. */
  seen?: string;
  note?: string;
}

export class FileLeases implements LeaseStore {
  readonly #entries: FileTable;
  readonly #leases: FileTable;
  readonly #lock: ShelfLock;
  readonly #clock: Clock;

  constructor(options: { entries: FileTable; leases: FileTable; lock: ShelfLock; clock: Clock }) {
    this.#entries = options.entries;
    this.#leases = options.leases;
    this.#lock = options.lock;
    this.#clock = options.clock;
  }

  take(
    key: string,
    { token, ttlMs, note }: { token: string; ttlMs: number; note: string },
  ): Promise<{ state: LeaseState; leftMs: number }> {
    return this.#lock.hold(shelfOf(key), async () => {
      const record = await this.#leases.read(key);
      if (record)
        return { state: holdingOf(record).state, leftMs: (record.expiresAt ?? 0) - this.#clock.now() };
      const present = await this.#entries.read(key);
      const seen = present ? { seen: etagOf(present.bytes) } : {};
      await this.#put(key, { state: 'held', token, note, ...seen }, ttlMs);
      return { state: 'granted', leftMs: ttlMs };
    });
  }

  renew(key: string, token: string, ttlMs: number): Promise<boolean> {
    return this.#lock.hold(shelfOf(key), async () => {
      const held = await this.#heldBy(key, token);
      if (held) await this.#put(key, held, ttlMs);
      return held !== undefined;
    });
  }

  async note(key: string, token: string): Promise<string | undefined> {
    return (await this.#heldBy(key, token))?.note;
  }

  fill(
    key: string,
    token: string,
    bytes: StoredInput,
    ttlMs: number | null,
  ): Promise<'filled' | 'lost' | 'superseded'> {
    return this.#lock.hold(shelfOf(key), async () => {
      const held = await this.#heldBy(key, token);
      if (!held) return 'lost';
      await this.#leases.remove(key);
      const present = await this.#entries.read(key);
      if (present && etagOf(present.bytes) !== held.seen) return 'superseded';
      await this.#entries.write(key, bytes, ttlMs === null ? null : this.#clock.now() + ttlMs);
      return 'filled';
    });
  }

  release(key: string, token: string, word: 'none' | 'cooling' | 'missing', ttlMs: number): Promise<boolean> {
    return this.#lock.hold(shelfOf(key), async () => {
      if (!(await this.#heldBy(key, token))) return false;
      if (word === 'missing') await this.#entries.remove(key);
      if (word === 'none' || ttlMs <= 0) await this.#leases.remove(key);
      else await this.#put(key, { state: word }, ttlMs);
      return true;
    });
  }

  async #heldBy(key: string, token: string): Promise<Holding | undefined> {
    const record = await this.#leases.read(key);
    const holding = record && holdingOf(record);
    return holding?.state === 'held' && holding.token === token ? holding : undefined;
  }

  async #put(key: string, holding: Holding, ttlMs: number): Promise<void> {
    await this.#leases.write(key, JSON.stringify(holding), this.#clock.now() + ttlMs);
  }
}

function holdingOf(record: FileRecord): Holding {
  return JSON.parse(record.bytes.toString()) as Holding;
}
