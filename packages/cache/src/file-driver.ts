/** This file owns a cache service's entries on disk: the same contract as Redis, for one machine, by several processes. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, systemClock } from '@sluice/runtime';
import type {
  CacheDriver,
  Incremented,
  IncrementInput,
  ListPage,
  RemoveOutcome,
  Timed,
  Write,
  WriteOutcome,
} from './driver.ts';
import { etagOf } from './entry.ts';
import { eachBounded } from './file-each.ts';
import { FileLeases } from './file-leases.ts';
import { FileSweep } from './file-sweep.ts';
import { type FileRecord, FileTable, nameOf, SHELVES, shelfOf } from './file-table.ts';
import { FileTags } from './file-tags.ts';
import { refuse } from './rules.ts';
import { ShelfLock } from './shelf-lock.ts';

/** Folders of one service: `{folder}/{service}/entries`, `/leases`, `/tags`, `/locks`. */
export class FileDriver implements CacheDriver {
  readonly kind = 'file';
  readonly leases: FileLeases;
  readonly tags: FileTags;
  readonly #clock: Clock;
  readonly #entries: FileTable;
  readonly #leases: FileTable;
  readonly #tags: FileTable;
  readonly #lock: ShelfLock;
  readonly #sweep: FileSweep;

  /** Creates the folders, readable by this user alone. Throws what the file system says when it may not. */
  constructor(options: { folder: string; service: string; clock?: Clock }) {
    const { folder, service, clock = systemClock } = options;
    const home = join(folder, service);
    for (const part of ['entries', 'leases', 'tags', 'locks'])
      mkdirSync(join(home, part), { recursive: true, mode: 0o700 });
    this.#clock = clock;
    this.#entries = new FileTable(join(home, 'entries'), clock);
    this.#leases = new FileTable(join(home, 'leases'), clock);
    this.#tags = new FileTable(join(home, 'tags'), clock);
    this.#lock = new ShelfLock(join(home, 'locks'));
    this.leases = new FileLeases({ entries: this.#entries, leases: this.#leases, lock: this.#lock, clock });
    this.tags = new FileTags({ tags: this.#tags, lock: this.#lock, clock });
    this.#sweep = new FileSweep({ tables: [this.#entries, this.#leases, this.#tags], lock: this.#lock });
  }

  async read(key: string): Promise<Buffer | null> {
    return (await this.#entries.read(key))?.bytes ?? null;
  }

  readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return eachBounded(keys, (key) => this.read(key));
  }

  async readTimed(key: string): Promise<Timed | null> {
    const record = await this.#entries.read(key);
    return record && { bytes: record.bytes, ttlMs: this.#ttlMs(record) };
  }

  ttls(keys: readonly string[]): Promise<(number | null | undefined)[]> {
    return eachBounded(keys, async (key) => {
      const record = await this.#entries.read(key);
      return record ? this.#ttlMs(record) : undefined;
    });
  }

  async firstByte(key: string): Promise<number> {
    return (await this.read(key))?.[0] ?? -1;
  }

  write(write: Write): Promise<WriteOutcome> {
    return this.#lock.hold(shelfOf(write.key), async () => {
      const present = await this.#entries.read(write.key);
      if (write.when === 'absent' && present) return 'exists';
      if ((write.when === 'present' || write.ifMatch) && !present) return 'absent';
      if (present && write.ifMatch && !write.ifMatch.includes(etagOf(present.bytes))) return 'mismatch';
      await this.#put(write, present);
      return 'stored';
    });
  }

  writeMany(writes: readonly Write[]): Promise<(WriteOutcome | Error)[]> {
    return eachBounded(writes, async (write) => {
      try {
        return await this.write(write);
      } catch (error) {
        return error instanceof Error ? error : new Error('not an error', { cause: error });
      }
    });
  }

  /** All or nothing to other callers; a crash in the middle leaves what was written until then. */
  writeAllAbsent(writes: readonly Write[]): Promise<string[]> {
    return this.#lock.holdAll(
      writes.map(({ key }) => shelfOf(key)),
      async () => {
        const found = await eachBounded(writes, async ({ key }) =>
          (await this.#entries.read(key)) ? [key] : [],
        );
        const present = found.flat();
        if (present.length === 0) await eachBounded(writes, (write) => this.#put(write, null));
        return present;
      },
    );
  }

  remove(key: string, ifMatch?: readonly string[]): Promise<RemoveOutcome> {
    return this.#lock.hold(shelfOf(key), async () => {
      const present = await this.#entries.read(key);
      if (ifMatch && present && !ifMatch.includes(etagOf(present.bytes))) return 'mismatch';
      await Promise.all([this.#entries.remove(key), this.#leases.remove(key)]);
      return present ? 'removed' : 'absent';
    });
  }

  removeMany(keys: readonly string[]): Promise<boolean[]> {
    return eachBounded(keys, async (key) => (await this.remove(key)) === 'removed');
  }

  take(key: string): Promise<Buffer | null> {
    return this.#lock.hold(shelfOf(key), async () => {
      const present = await this.#entries.read(key);
      await Promise.all([this.#entries.remove(key), this.#leases.remove(key)]);
      return present?.bytes ?? null;
    });
  }

  touch(key: string, ttlMs: number | null): Promise<Buffer | null> {
    return this.#lock.hold(shelfOf(key), async () => {
      const present = await this.#entries.read(key);
      if (present) await this.#entries.write(key, present.bytes, this.#expiresAt(ttlMs));
      return present?.bytes ?? null;
    });
  }

  increment(key: string, { by, min, max, ttlMs }: IncrementInput): Promise<Incremented | undefined> {
    return this.#lock.hold(shelfOf(key), async () => {
      const present = await this.#entries.read(key);
      const text = present?.bytes.toString() ?? '0';
      // 16 digits hold every number that JavaScript counts exactly.
      if (!/^-?\d{1,16}$/.test(text)) return undefined;
      const value = Number(text) + 0;
      const leftMs = present ? this.#ttlMs(present) : ttlMs;
      if (value + by < min || value + by > max) return { value, applied: 0, ttlMs: leftMs };
      const expiresAt = present ? present.expiresAt : this.#expiresAt(ttlMs);
      await this.#entries.write(key, String(value + by), expiresAt);
      return { value: value + by, applied: by, ttlMs: leftMs };
    });
  }

  /** In the order of the files' names; the cursor is the last name told. */
  async list(options: { prefix: string; limit: number; cursor: string | undefined }): Promise<ListPage> {
    const { prefix, limit, cursor = '' } = options;
    if (!/^([0-9a-f]{64})?$/.test(cursor))
      throw refuse('cursor_invalid', 'This cursor is not one that a list answered.');
    const keys: string[] = [];
    for (const shelf of SHELVES.slice(cursor === '' ? 0 : SHELVES.indexOf(cursor.slice(0, 2)))) {
      const { names } = await this.#entries.shelf(shelf);
      const found = await eachBounded(
        names.filter((name) => name > cursor),
        (name) => this.#liveKey(name),
      );
      for (const key of found) {
        if (key === undefined || !key.startsWith(prefix)) continue;
        if (keys.length === limit) {
          const next = nameOf(keys.at(-1) ?? '');
          return { keys: keys.sort(), next };
        }
        keys.push(key);
      }
    }
    return { keys: keys.sort(), next: undefined };
  }

  async flush(prefix: string): Promise<number> {
    await this.#clear(this.#leases, '');
    const removed = await this.#clear(this.#entries, prefix);
    if (prefix === '') await this.#clear(this.#tags, '');
    return removed;
  }

  async count(prefix: string): Promise<number> {
    let count = 0;
    for (const shelf of SHELVES) {
      const found = await eachBounded((await this.#entries.shelf(shelf)).names, (name) =>
        this.#liveKey(name),
      );
      count += found.filter((key) => key?.startsWith(prefix)).length;
    }
    return count;
  }

  async figures(): Promise<null> {
    return null;
  }

  async stop(): Promise<void> {
    await this.#sweep.stop();
  }

  /** Removes what has expired on one of the 256 shelves; a timer does so by itself, all of them within the hour. */
  sweepShelf(): Promise<number> {
    return this.#sweep.sweepShelf();
  }

  async #clear(table: FileTable, prefix: string): Promise<number> {
    let removed = 0;
    for (const shelf of SHELVES) {
      const { names } = await table.shelf(shelf);
      if (names.length === 0) continue;
      const gone = await this.#lock.hold(shelf, () =>
        eachBounded(names, async (name) => {
          const record = await table.readNamed(name);
          if (record && !record.key.startsWith(prefix)) return false;
          return (await table.removeNamed(name)) && record !== null && table.isLive(record);
        }),
      );
      removed += gone.filter(Boolean).length;
    }
    return removed;
  }

  async #put({ key, bytes, ttlMs }: Write, present: FileRecord | null): Promise<void> {
    const expiresAt = ttlMs === 'keep' ? (present?.expiresAt ?? null) : this.#expiresAt(ttlMs);
    await this.#entries.write(key, bytes, expiresAt);
  }

  async #liveKey(name: string): Promise<string | undefined> {
    const record = await this.#entries.readNamed(name);
    return record && this.#entries.isLive(record) ? record.key : undefined;
  }

  #expiresAt(ttlMs: number | null): number | null {
    return ttlMs === null ? null : this.#clock.now() + ttlMs;
  }

  #ttlMs({ expiresAt }: FileRecord): number | null {
    return expiresAt === null ? null : expiresAt - this.#clock.now();
  }
}
