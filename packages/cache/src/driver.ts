/** This file owns the contract between a cache and where it keeps its entries. Redis and the disk both keep it, and one suite proves it. */

import type { StoreFigures } from './redis-figures.ts';

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

export interface IncrementInput {
  by: number;
  min: number;
  max: number;
  /** For an entry that begins here; `null` for ever. */
  ttlMs: number | null;
}

export interface Incremented {
  value: number;
  /** What was added: `by`, or 0 when the sum would have left the bounds. */
  applied: number;
  ttlMs: number | null;
}

/** Keys are checked before they come here. Failures of the store itself are thrown as they are. */
export interface CacheDriver {
  readonly kind: 'redis' | 'file';
  readonly leases: LeaseStore;
  readonly tags: TagStore;
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

  /** Adds to a whole number in one step; `undefined` when the entry is none. */
  increment(key: string, input: IncrementInput): Promise<Incremented | undefined>;

  /**
   * At most `limit` keys. A key that is present all the while is told at least once; across pages it may be told twice.
   * A page may be short, even empty, while `next` says that there is more. Throws `cursor_invalid`.
   */
  list(options: { prefix: string; limit: number; cursor: string | undefined }): Promise<ListPage>;
  /** Removes every entry whose key begins with `prefix` and voids loads; without a prefix the service's tags go as well. */
  flush(prefix: string): Promise<number>;
  count(prefix: string): Promise<number>;
  /** What the store tells of itself; `null` when it tells nothing. */
  figures(): Promise<StoreFigures | null>;
  /** Releases what the driver itself opened (timers); a client it was given is its owner's. */
  stop(): Promise<void>;
}

/** Why a lease was not given: another holds it, a load has just failed, or there was nothing to load. */
export type LeaseState = 'granted' | 'held' | 'cooling' | 'missing';

/**
 * The right to load an entry: one holder a key, for a time, fenced by its token. A fill is taken from the present holder
 * only, and only when nobody else wrote or deleted the entry since the lease was given.
 */
export interface LeaseStore {
  /** `note` is kept for the fill. Answers what is, and how long it still stands. */
  take(
    key: string,
    lease: { token: string; ttlMs: number; note: string },
  ): Promise<{ state: LeaseState; leftMs: number }>;
  renew(key: string, token: string, ttlMs: number): Promise<boolean>;
  /** The note of the present holder, if that is `token`. */
  note(key: string, token: string): Promise<string | undefined>;
  fill(
    key: string,
    token: string,
    bytes: StoredInput,
    ttlMs: number | null,
  ): Promise<'filled' | 'lost' | 'superseded'>;
  /** Ends the lease; `word` stands for `ttlMs` to those who come next, and 'missing' removes the entry. */
  release(key: string, token: string, word: 'none' | 'cooling' | 'missing', ttlMs: number): Promise<boolean>;
}

/**
 * A tag's generation. An entry bears the generations its tags had when it was made, and is void when one of them is no
 * longer the tag's: a purge removes one generation, however many entries bear it.
 */
export interface TagStore {
  /** The generations of `tags`, begun where there is none, which live at least `ttlMs` more. */
  open(tags: readonly string[], ttlMs: number): Promise<string[]>;
  read(tags: readonly string[]): Promise<(string | undefined)[]>;
  /** Answers how many of them had a generation. */
  close(tags: readonly string[]): Promise<number>;
}
