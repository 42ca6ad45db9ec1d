/** This file owns the contract between a cache and where it keeps its entries. Redis and the disk both keep it, and one suite proves it. */

/** Stored bytes, or a text that is stored as UTF-8. Drivers never look inside. */
export type StoredInput = string | Buffer;

export interface Write {
  key: string;
  bytes: StoredInput;
  /** Milliseconds; `null` for ever; 'keep' what the entry has. */
  ttlMs: number | null | 'keep';
  /** Store only over nothing, or only over something. */
  when?: 'absent' | 'present' | undefined;
  /** Store only over an entry that has one of these ETags. Not beside `when`. */
  ifMatch?: readonly string[] | undefined;
}

export type WriteOutcome = 'stored' | 'exists' | 'absent' | 'mismatch';
export type RemoveOutcome = 'removed' | 'absent' | 'mismatch';

export interface ListPage {
  keys: string[];
  /** Where the next page begins; `undefined` after the last one. */
  next: string | undefined;
}

export interface Timed {
  bytes: Buffer;
  /** Milliseconds left; `null` without end. */
  ttlMs: number | null;
}

/** Keys are checked before they come here. Failures of the store itself are thrown as they are. */
export interface CacheDriver {
  readonly kind: 'redis' | 'file';
  read(key: string): Promise<Buffer | null>;
  readMany(keys: readonly string[]): Promise<(Buffer | null)[]>;
  readTimed(key: string): Promise<Timed | null>;
  /** Milliseconds left of each entry; `null` without end, `undefined` when there is none. */
  ttls(keys: readonly string[]): Promise<(number | null | undefined)[]>;
  /** The first byte of an entry, or -1: enough to tell presence and kind. */
  firstByte(key: string): Promise<number>;

  write(write: Write): Promise<WriteOutcome>;
  /** One answer per write, in order; a write that the store refused answers its error, the others stand. */
  writeMany(writes: readonly Write[]): Promise<(WriteOutcome | Error)[]>;
  /** All when none of the keys exists (answers `[]`), else nothing (answers the keys that exist). */
  writeAllAbsent(writes: readonly Write[]): Promise<string[]>;

  /** Removes the entry and voids a load that is under way for it. */
  remove(key: string, ifMatch?: readonly string[]): Promise<RemoveOutcome>;
  removeMany(keys: readonly string[]): Promise<boolean[]>;
  /** Reads and removes in one step. */
  take(key: string): Promise<Buffer | null>;
  /** Reads and sets the TTL in one step; `null` for ever. */
  touch(key: string, ttlMs: number | null): Promise<Buffer | null>;

  /**
   * At most `limit` keys. A key that is present all the while is told at least once; across pages it may be told twice.
   * A page may be short, even empty, while `next` says that there is more. Throws `cursor_invalid`.
   */
  list(options: { prefix: string; limit: number; cursor: string | undefined }): Promise<ListPage>;
  /** Removes every entry whose key begins with `prefix` and voids loads; without a prefix the service's tags go as well. */
  flush(prefix: string): Promise<number>;
  count(prefix: string): Promise<number>;
  /** Releases what the driver itself opened (timers); a client it was given is its owner's. */
  stop(): Promise<void>;
}
