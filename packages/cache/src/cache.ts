/** This file owns the cache service: what its callers may do with keys and values. Where values lie is the driver's. */
import { DomainError } from '@sluice/runtime';
import type { CacheDriver, ListPage, Write, WriteOutcome } from './driver.ts';
import { CacheEntry } from './entry.ts';
import { checkKey, checkPrefix, checkTtl, refuse, type Ttl, valueText } from './rules.ts';
import { DEFAULT_MAX_VALUE_BYTES, DEFAULT_TTL_MINUTES, MAX_LIST_LIMIT } from './schemas.ts';

export interface CacheOptions {
  /** The service's name, as in its URL. */
  name: string;
  driver: CacheDriver;
  /** Minutes, as the page has it; default 300. 0 keeps for ever. */
  defaultTtlMinutes?: number | undefined;
  /** Bytes of one value's JSON text; default 1 MiB. */
  maxValueBytes?: number | undefined;
}

export interface SetOptions {
  /** Seconds, 'forever', or 'keep' for what the entry has; default the service's. */
  ttl?: Ttl | 'keep' | undefined;
  /** Store only over nothing (else `key_exists`) or only over something (else `key_not_found`). */
  when?: 'absent' | 'present' | undefined;
  /** Store only over an entry with one of these ETags, else `etag_mismatch`. */
  ifMatch?: readonly string[] | undefined;
}

export interface SetItem extends SetOptions {
  key: string;
  /** A `JsonText` is stored byte for byte; anything else by `JSON.stringify`. */
  value: unknown;
}

export interface SetResult {
  key: string;
  isStored: boolean;
  /** What is wrong with this item, or what the store said of it. */
  error: Error | undefined;
}

export interface TimedEntry {
  entry: CacheEntry;
  /** Whole seconds left, at least 1; `null` without end. */
  ttlSeconds: number | null;
}

/** Between the two commands of an upsert another caller may delete or create the key. */
const MAX_UPSERT_TRIES = 5;

export class Cache {
  readonly name: string;
  readonly defaultTtl: Ttl;
  readonly maxValueBytes: number;
  readonly #driver: CacheDriver;

  constructor(options: CacheOptions) {
    const {
      name,
      driver,
      defaultTtlMinutes = DEFAULT_TTL_MINUTES,
      maxValueBytes = DEFAULT_MAX_VALUE_BYTES,
    } = options;
    if (!Number.isInteger(defaultTtlMinutes) || defaultTtlMinutes < 0) {
      throw new TypeError(
        `cache ${name}: its default TTL is ${defaultTtlMinutes}, not a whole number of minutes`,
      );
    }
    this.name = name;
    this.defaultTtl = defaultTtlMinutes === 0 ? 'forever' : defaultTtlMinutes * 60;
    checkTtl(this.defaultTtl);
    this.maxValueBytes = maxValueBytes;
    this.#driver = driver;
  }

  get driver(): CacheDriver['kind'] {
    return this.#driver.kind;
  }

  /** The entry, or `undefined`. Reads of one event-loop turn share one round trip. */
  async get(key: string): Promise<CacheEntry | undefined> {
    checkKey(key);
    return this.#open(await this.#driver.read(key));
  }

  async getTimed(key: string): Promise<TimedEntry | undefined> {
    checkKey(key);
    const timed = await this.#driver.readTimed(key);
    const entry = timed && this.#open(timed.bytes);
    if (!timed || !entry) return undefined;
    return { entry, ttlSeconds: timed.ttlMs === null ? null : seconds(timed.ttlMs) };
  }

  /** One round trip; in the order of `keys`. */
  async getMany(keys: readonly string[]): Promise<(CacheEntry | undefined)[]> {
    for (const key of keys) checkKey(key);
    if (keys.length === 0) return [];
    return (await this.#driver.readMany(keys)).map((bytes) => this.#open(bytes));
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
    return (await this.#driver.firstByte(key)) !== -1;
  }

  /** Throws `key_exists`, `key_not_found` or `etag_mismatch` when its condition does not hold, and stores nothing then. */
  async set(key: string, value: unknown, options: SetOptions = {}): Promise<void> {
    const write = this.#writeOf({ ...options, key, value });
    const failure = failureOf(key, await this.#driver.write(write));
    if (failure) throw failure;
  }

  /** Stores over whatever is there, and tells which it was. */
  async upsert(
    key: string,
    value: unknown,
    options: Pick<SetOptions, 'ttl'> = {},
  ): Promise<'created' | 'updated'> {
    for (let tries = 0; tries < MAX_UPSERT_TRIES; tries += 1) {
      const update = this.#writeOf({ ...options, key, value, when: 'present' });
      if ((await this.#driver.write(update)) === 'stored') return 'updated';
      if ((await this.#driver.write({ ...update, when: 'absent' })) === 'stored') return 'created';
    }
    throw refuse(
      'key_exists',
      `Key '${key}' came and went ${MAX_UPSERT_TRIES} times while it was to be stored.`,
    );
  }

  /**
   * One pipeline; one result per item, in order. Nothing is stored when an item is malformed, unless `isPartial`: then
   * the well-formed ones are. Throws when the store refused them all.
   */
  async setMany(items: readonly SetItem[], options: { isPartial?: boolean } = {}): Promise<SetResult[]> {
    const { results, writes, written } = this.#writesOf(items);
    if (writes.length === 0 || (writes.length < items.length && !options.isPartial)) return results;
    const outcomes = await this.#driver.writeMany(writes);
    const [first] = outcomes;
    if (first instanceof Error && outcomes.every((outcome) => outcome instanceof Error)) throw first;
    for (const [at, outcome] of outcomes.entries()) {
      const result = written[at] as SetResult;
      result.error = outcome instanceof Error ? outcome : failureOf(result.key, outcome);
      result.isStored = result.error === undefined;
    }
    return results;
  }

  /** What `setMany` would find malformed; stores nothing. */
  verify(items: readonly SetItem[]): SetResult[] {
    return this.#writesOf(items).results;
  }

  /** All items or none: throws `keys_exist` with the keys in `details.keys` when one of them is there already. */
  async addAll(items: readonly SetItem[]): Promise<void> {
    const present = await this.#driver.writeAllAbsent(items.map((item) => this.#writeOf(item)));
    if (present.length === 0) return;
    throw refuse(
      'keys_exist',
      `Nothing was stored in cache. One or more key(s) already exists (${present.join(',')})`,
      { keys: present },
    );
  }

  /** True when there was an entry. Throws `etag_mismatch` when `ifMatch` is given and the entry has another ETag. */
  async delete(key: string, options: { ifMatch?: readonly string[] | undefined } = {}): Promise<boolean> {
    checkKey(key);
    const outcome = await this.#driver.remove(key, options.ifMatch);
    if (outcome === 'mismatch') throw mismatch(key);
    return outcome === 'removed';
  }

  /** One round trip; for each key whether there was an entry. */
  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    for (const key of keys) checkKey(key);
    return await this.#driver.removeMany(keys);
  }

  /** Reads and deletes in one step: of many callers one gets the entry. */
  async take(key: string): Promise<CacheEntry | undefined> {
    checkKey(key);
    return this.#open(await this.#driver.take(key));
  }

  /** Reads, and lets the entry live `ttl` from now on. */
  async touch(key: string, ttl: Ttl): Promise<CacheEntry | undefined> {
    checkKey(key);
    checkTtl(ttl);
    return this.#open(await this.#driver.touch(key, milliseconds(ttl)));
  }

  /**
   * Keys that begin with `prefix` (default all), at most `limit` (default and cap 10,000), sorted within the page.
   * A key present all the while is told at least once. Throws `cursor_invalid`.
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
    return await (isDryRun ? this.#driver.count(prefix) : this.#driver.flush(prefix));
  }

  async stop(): Promise<void> {
    await this.#driver.stop();
  }

  /** A result for each item, and a write with its result for each well-formed one. */
  #writesOf(items: readonly SetItem[]): { results: SetResult[]; writes: Write[]; written: SetResult[] } {
    const results: SetResult[] = items.map(({ key }) => ({ key, isStored: false, error: undefined }));
    const writes: Write[] = [];
    const written: SetResult[] = [];
    for (const [at, item] of items.entries()) {
      const result = results[at] as SetResult;
      try {
        writes.push(this.#writeOf(item));
        written.push(result);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        result.error = error;
      }
    }
    return { results, writes, written };
  }

  #open(bytes: Buffer | null): CacheEntry | undefined {
    return bytes === null ? undefined : new CacheEntry(bytes, bytes.toString(), false);
  }

  #writeOf({ key, value, ttl = this.defaultTtl, when, ifMatch }: SetItem): Write {
    checkKey(key);
    if (ttl !== 'keep') checkTtl(ttl);
    const bytes = valueText(value, this.maxValueBytes);
    return { key, bytes, ttlMs: ttl === 'keep' ? 'keep' : milliseconds(ttl), when, ifMatch };
  }
}

function seconds(ttlMs: number): number {
  return Math.max(1, Math.ceil(ttlMs / 1_000));
}

function milliseconds(ttl: Ttl): number | null {
  return ttl === 'forever' ? null : ttl * 1_000;
}

function failureOf(key: string, outcome: WriteOutcome): Error | undefined {
  switch (outcome) {
    case 'stored':
      return undefined;
    case 'exists':
      return refuse('key_exists', `Key '${key}' already exists in cache. Use PUT to update existing key.`);
    case 'absent':
      return keyNotFound(key);
    case 'mismatch':
      return mismatch(key);
  }
}

export function keyNotFound(key: string): Error {
  return refuse('key_not_found', `No value found for key '${key}'.`);
}

function mismatch(key: string): Error {
  return refuse('etag_mismatch', `The entry of key '${key}' has another ETag.`);
}
