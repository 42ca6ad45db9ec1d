/** This file owns the cache service: what its callers may do with keys and values. Where values lie is the driver's. */
import { DomainError, systemClock } from '@sluice/runtime';
import type { CacheDriver, Incremented, ListPage } from './driver.ts';
import type { CacheEntry, TimedEntry } from './entry.ts';
import { isFrameMark } from './frame.ts';
import { Lender } from './lending.ts';
import { type Load, type LoadOptions, Loads } from './loading.ts';
import { Near } from './near.ts';
import type { CacheOptions, IncrementOptions } from './options.ts';
import { type Changes, patched } from './patching.ts';
import { EntryReader } from './reading.ts';
import type { StoreFigures } from './redis-figures.ts';
import { checkKey, checkPrefix, checkTags, checkTtl, milliseconds, refuse, type Ttl } from './rules.ts';
import { DEFAULT_MAX_VALUE_BYTES, DEFAULT_TTL_MINUTES, MAX_LIST_LIMIT } from './schemas.ts';
import { type CacheCounts, CacheStats } from './stats.ts';
import {
  checkAll,
  EntryWriter,
  etagMismatch,
  failureOf,
  keyNotFound,
  type SetItem,
  type SetOptions,
  type SetResult,
} from './writing.ts';

/** Between the read and the write of a patch another caller may write. */
const MAX_TRIES = 5;

export class Cache {
  readonly name: string;
  readonly defaultTtl: Ttl;
  readonly maxValueBytes: number;
  /** For callers outside this process; inside it, `getOrLoad` does the same by itself. */
  readonly leases: Lender;
  readonly #driver: CacheDriver;
  readonly #reader: EntryReader;
  readonly #writer: EntryWriter;
  readonly #loads: Loads;
  readonly #near: Near | undefined;
  readonly #onRefreshFailure: CacheOptions['onRefreshFailure'];
  readonly #stats = new CacheStats();

  constructor(options: CacheOptions) {
    const {
      name,
      driver,
      defaultTtlMinutes = DEFAULT_TTL_MINUTES,
      maxValueBytes = DEFAULT_MAX_VALUE_BYTES,
      deflateOverBytes = Infinity,
      clock = systemClock,
      near,
    } = options;
    if (!(defaultTtlMinutes >= 0))
      throw new TypeError(`cache ${name}: ${defaultTtlMinutes} min is no default TTL`);
    this.name = name;
    this.defaultTtl = defaultTtlMinutes === 0 ? 'forever' : defaultTtlMinutes * 60;
    checkTtl(this.defaultTtl);
    this.maxValueBytes = maxValueBytes;
    this.#driver = driver;
    this.#near = near && new Near({ ...near, clock });
    this.#reader = new EntryReader({ driver, near: this.#near });
    this.#writer = new EntryWriter({
      driver,
      reader: this.#reader,
      defaultTtl: this.defaultTtl,
      maxValueBytes,
      deflateOverBytes,
    });
    const read = (key: string) => this.#reader.fetch(key);
    const changed = (key: string) => this.#near?.changed([key]);
    this.#loads = new Loads({ driver, writer: this.#writer, stats: this.#stats, read, changed });
    this.leases = new Lender({ driver, writer: this.#writer, read, changed });
    this.#onRefreshFailure = options.onRefreshFailure;
  }

  get driver(): CacheDriver['kind'] {
    return this.#driver.kind;
  }

  /** Since this process opened the cache. */
  get stats(): CacheCounts {
    return this.#stats;
  }

  /** Of the whole store, other services' share included; `null` on disk. */
  figures(): Promise<StoreFigures | null> {
    return this.#driver.figures();
  }

  /** Listens for changes by other processes; without a `near` there is nothing to start. */
  async start(): Promise<void> {
    await this.#near?.start();
  }

  /** Ends what is under way; a client that the driver was given stays its owner's. */
  async stop(): Promise<void> {
    await this.#loads.stop();
    await this.#near?.stop();
    await this.#driver.stop();
  }

  /** The entry, or `undefined`. Reads of one event-loop turn share one round trip. */
  async get(key: string): Promise<CacheEntry | undefined> {
    checkKey(key);
    const near = this.#near?.get(key);
    if (near) {
      this.#stats.nearHits += 1;
      return this.#stats.found(near);
    }
    return this.#stats.found(await this.#reader.fetch(key));
  }

  async getTimed(key: string): Promise<TimedEntry | undefined> {
    checkKey(key);
    const timed = await this.#driver.readTimed(key);
    const entry = this.#stats.found(await this.#reader.open(key, timed?.bytes ?? null));
    if (!timed || !entry) return undefined;
    if (timed.ttlMs === null) return { entry, ttlSeconds: null };
    return { entry, ttlSeconds: entry.isStale ? 0 : seconds(timed.ttlMs - entry.graceSeconds * 1_000) };
  }

  /** One round trip; in the order of `keys`. */
  async getMany(keys: readonly string[]): Promise<(CacheEntry | undefined)[]> {
    for (const key of keys) checkKey(key);
    if (keys.length === 0) return [];
    const entries = await this.#reader.openMany(keys, await this.#driver.readMany(keys));
    for (const entry of entries) this.#stats.found(entry);
    return entries;
  }

  /** Whole seconds left of each, at least 1; `null` without end, `undefined` when there is no entry. */
  async ttls(keys: readonly string[]): Promise<(number | null | undefined)[]> {
    for (const key of keys) checkKey(key);
    return (await this.#driver.ttls(keys)).map((ttlMs) =>
      typeof ttlMs === 'number' ? seconds(ttlMs) : ttlMs,
    );
  }

  async has(key: string): Promise<boolean> {
    checkKey(key);
    const first = await this.#driver.firstByte(key);
    if (first === -1) return false;
    return !isFrameMark(first) || (await this.#reader.fetch(key)) !== undefined;
  }

  /**
   * The fresh entry, or what `load` brings: of all callers in all processes that share the store one loads, the others wait
   * for its value. Within the grace of an old value everybody gets that at once, and one loads behind. `undefined` when
   * the load found nothing. Throws what the load threw to those who waited for it, or `load_timeout`.
   *
   * ```ts
   * const user = await cache.getOrLoad('user:1', () => fetchUser(1), { ttl: 60, graceSeconds: 600 });
   * ```
   */
  async getOrLoad(key: string, load: Load, options: LoadOptions = {}): Promise<CacheEntry | undefined> {
    let entry: CacheEntry | undefined;
    try {
      entry = await this.get(key);
    } catch (error) {
      // Whether to load without the store is decided where the load is led.
      if (error instanceof DomainError || options.onOutage === 'throw') throw error;
    }
    if (entry && !entry.isStale) return entry;
    const flight = this.#loads.share(key, load, options, entry !== undefined);
    if (!entry) return await flight;
    flight.catch((error: unknown) => this.#onRefreshFailure?.(error, key));
    return entry;
  }

  /** Throws `key_exists`, `key_not_found` or `etag_mismatch` when its condition does not hold, and stores nothing then. */
  async set(key: string, value: unknown, options: SetOptions = {}): Promise<void> {
    const checked = this.#writer.check({ ...options, key, value });
    const failure = failureOf(key, await this.#writer.storeOne(checked));
    if (failure) throw failure;
    this.#written([key]);
  }

  /** Stores over whatever is there, and tells which it was. */
  async upsert(
    key: string,
    value: unknown,
    options: Omit<SetOptions, 'when' | 'ifMatch'> = {},
  ): Promise<'created' | 'updated'> {
    const outcome = await this.#writer.storeEither(this.#writer.check({ ...options, key, value }));
    this.#written([key]);
    return outcome;
  }

  /**
   * One round trip; one result per item, in order. Nothing is stored when an item is malformed, unless `isPartial`: then
   * the well-formed ones are. Throws when the store refused them all.
   */
  async setMany(items: readonly SetItem[], options: { isPartial?: boolean } = {}): Promise<SetResult[]> {
    const { results, good } = checkAll(this.#writer, items);
    if (good.length === 0 || (good.length < items.length && !options.isPartial)) return results;
    const outcomes = await this.#writer.store(await this.#writer.make(good.map(({ item }) => item)));
    const [first] = outcomes;
    if (first instanceof Error && outcomes.every((outcome) => outcome instanceof Error)) throw first;
    for (const [at, outcome] of outcomes.entries()) {
      const result = good[at]?.result as SetResult;
      result.error = outcome instanceof Error ? outcome : failureOf(result.key, outcome);
      result.isStored = result.error === undefined;
    }
    this.#written(results.filter(({ isStored }) => isStored).map(({ key }) => key));
    return results;
  }

  /** What `setMany` would find malformed; stores nothing. */
  verify(items: readonly SetItem[]): SetResult[] {
    return checkAll(this.#writer, items).results;
  }

  /** All items or none: throws `keys_exist` with the keys in `details.keys` when one of them is there already. */
  async addAll(items: readonly SetItem[]): Promise<void> {
    const writes = await this.#writer.make(items.map((item) => this.#writer.check(item)));
    const present = await this.#writer.storeAllAbsent(writes);
    if (present.length > 0) {
      const message = `Nothing was stored in cache. One or more key(s) already exists (${present.join(',')})`;
      throw refuse('keys_exist', message, { keys: present });
    }
    this.#written(items.map(({ key }) => key));
  }

  /**
   * Changes a part: `merge` is a JSON Merge Patch of the value (RFC 7396), `ttl` and `tags` replace what the entry has; what
   * is not named stays. Throws `key_not_found`, or `etag_mismatch` when `ifMatch` is given or others keep writing.
   */
  async patch(
    key: string,
    changes: Changes,
    options: { ifMatch?: readonly string[] | undefined } = {},
  ): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const timed = await this.getTimed(key);
      if (!timed) throw keyNotFound(key);
      if (options.ifMatch && !options.ifMatch.includes(timed.entry.etag)) throw etagMismatch(key);
      const [write] = await this.#writer.make([this.#writer.check(patched(key, timed, changes))]);
      if (!write || (await this.#driver.write(write)) !== 'stored') continue;
      this.#written([key]);
      return;
    }
    throw etagMismatch(key);
  }

  /** True when there was an entry. Throws `etag_mismatch` when `ifMatch` is given and the entry has another ETag. */
  async delete(key: string, options: { ifMatch?: readonly string[] | undefined } = {}): Promise<boolean> {
    checkKey(key);
    const outcome = await this.#driver.remove(key, options.ifMatch);
    if (outcome === 'mismatch') throw etagMismatch(key);
    this.#removed([key], outcome === 'removed' ? 1 : 0);
    return outcome === 'removed';
  }

  /** One round trip; for each key whether there was an entry. */
  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    for (const key of keys) checkKey(key);
    const removed = await this.#driver.removeMany(keys);
    this.#removed(keys, removed.filter(Boolean).length);
    return removed;
  }

  /** Reads and deletes in one step: of many callers one gets the entry. */
  async take(key: string): Promise<CacheEntry | undefined> {
    checkKey(key);
    const stored = await this.#driver.take(key);
    this.#removed([key], stored ? 1 : 0);
    return this.#stats.found(await this.#reader.openTaken(stored));
  }

  /** Reads, and lets the entry live `ttl` from now on. An entry with tags lives ten years at most. */
  async touch(key: string, ttl: Ttl): Promise<CacheEntry | undefined> {
    checkKey(key);
    checkTtl(ttl);
    const entry = this.#stats.found(
      await this.#reader.open(key, await this.#driver.touch(key, milliseconds(ttl))),
    );
    if (entry?.isFramed) await this.#driver.touch(key, await this.#writer.lifeOf(entry, ttl));
    this.#near?.changed([key]);
    return entry;
  }

  /**
   * Adds to a whole number in one step, beginning at 0. A sum that would leave the bounds is not made: `applied` is 0 then.
   * Throws `not_an_integer` when the value is something else.
   */
  async increment(key: string, options: IncrementOptions = {}): Promise<Incremented> {
    const {
      by = 1,
      min = Number.MIN_SAFE_INTEGER,
      max = Number.MAX_SAFE_INTEGER,
      ttl = this.defaultTtl,
    } = options;
    checkKey(key);
    checkTtl(ttl);
    if (![by, min, max].every(Number.isSafeInteger))
      throw refuse('not_an_integer', 'A step and its bounds are whole numbers.');
    const counted = await this.#driver.increment(key, { by, min, max, ttlMs: milliseconds(ttl) });
    if (!counted) throw refuse('not_an_integer', `The value of key '${key}' is not a whole number.`);
    if (counted.applied !== 0) this.#written([key]);
    return counted;
  }

  /** Voids every entry that bears one of the tags, in one step a tag; answers how many of the tags were in use. */
  async purgeTags(tags: readonly string[]): Promise<number> {
    checkTags(tags);
    const closed = await this.#driver.tags.close(tags);
    this.#stats.purgedTags += closed;
    this.#near?.changed('all');
    return closed;
  }

  /**
   * Keys that begin with `prefix` (default all), at most `limit` (default and cap 10,000), sorted within the page.
   * A key present all the while is told at least once; one whose tag was purged is told until it expires. Throws
   * `cursor_invalid`.
   */
  async list(
    options: { prefix?: string; limit?: number; cursor?: string | undefined } = {},
  ): Promise<ListPage> {
    const { prefix = '', limit = MAX_LIST_LIMIT, cursor } = options;
    checkPrefix(prefix);
    return await this.#driver.list({ prefix, limit: Math.max(1, Math.min(limit, MAX_LIST_LIMIT)), cursor });
  }

  /** Removes this service's entries whose keys begin with `prefix` (default all), no one else's; answers how many. */
  async flush(options: { prefix?: string; isDryRun?: boolean } = {}): Promise<number> {
    const { prefix = '', isDryRun = false } = options;
    checkPrefix(prefix);
    if (isDryRun) return await this.#driver.count(prefix);
    const removed = await this.#driver.flush(prefix);
    this.#stats.removed += removed;
    this.#near?.changed('all');
    return removed;
  }

  #written(keys: readonly string[]): void {
    this.#stats.stored += keys.length;
    if (keys.length > 0) this.#near?.changed(keys);
  }

  #removed(keys: readonly string[], count: number): void {
    this.#stats.removed += count;
    this.#near?.changed(keys);
  }
}

function seconds(ttlMs: number): number {
  return Math.max(1, Math.ceil(ttlMs / 1_000));
}
