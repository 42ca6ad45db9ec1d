/** This file owns the way from an item to what is stored: its rules checked, its tags given their generations, its frame. */
import { DomainError } from '@sluice/runtime';
import type { CacheDriver, StoredInput, Write, WriteOutcome } from './driver.ts';
import type { CacheEntry } from './entry.ts';
import { type TagGenerations, writeFrame } from './frame.ts';
import type { EntryReader } from './reading.ts';
import {
  checkGrace,
  checkKey,
  checkTags,
  checkTtl,
  milliseconds,
  refuse,
  type Ttl,
  valueText,
} from './rules.ts';
import { MAX_TTL_SECONDS } from './schemas.ts';

export interface SetOptions {
  /** Seconds, 'forever', or 'keep' for what the entry has; default the service's. */
  ttl?: Ttl | 'keep' | undefined;
  /**
   * Store only over nothing (else `key_exists`) or only over something (else `key_not_found`). An entry whose tag was purged
   * is nothing to the first and, until it is gone, something to the second.
   */
  when?: 'absent' | 'present' | undefined;
  /** Store only over an entry with one of these ETags, else `etag_mismatch`. */
  ifMatch?: readonly string[] | undefined;
  /** A purge of any of them voids the entry. Such an entry needs a TTL that ends, so that tags leave nothing behind. */
  tags?: readonly string[] | undefined;
  /** Seconds after the TTL in which the value is still served, as stale; default 0. Not for an entry without end. */
  graceSeconds?: number | undefined;
}

export interface SetItem extends SetOptions {
  key: string;
  /** A `JsonText` is stored byte for byte; anything else by `JSON.stringify`. */
  value: unknown;
}

/** What is needed to make an entry, apart from where it goes. */
export interface Recipe {
  text: string;
  graceMs: number;
  tags: readonly string[];
  /** Until the entry is gone, its grace included; `null` never. */
  lifeMs: number | null;
}

/** A checked item: `write` when it is stored as it is, else its recipe is still to be made. */
export interface CheckedItem {
  write: Write;
  recipe: Recipe | undefined;
}

/** Between the two commands of `storeEither` another caller may create or delete the entry. */
const MAX_TRIES = 5;

export class EntryWriter {
  readonly #driver: CacheDriver;
  readonly #reader: EntryReader;
  readonly #defaultTtl: Ttl;
  readonly #maxValueBytes: number;
  readonly #deflateOverBytes: number;

  constructor(options: {
    driver: CacheDriver;
    reader: EntryReader;
    defaultTtl: Ttl;
    maxValueBytes: number;
    deflateOverBytes: number;
  }) {
    this.#driver = options.driver;
    this.#reader = options.reader;
    this.#defaultTtl = options.defaultTtl;
    this.#maxValueBytes = options.maxValueBytes;
    this.#deflateOverBytes = options.deflateOverBytes;
  }

  /** Throws `key_invalid`, `ttl_invalid`, `tag_invalid`, `value_invalid` or `value_too_large`. */
  check(item: SetItem): CheckedItem {
    const { key, value, ttl = this.#defaultTtl, when, ifMatch, tags = [], graceSeconds = 0 } = item;
    checkKey(key);
    const text = valueText(value, this.#maxValueBytes);
    if (ttl === 'keep') {
      if (tags.length > 0 || graceSeconds > 0)
        throw refuse('ttl_invalid', 'A kept TTL goes with no tags and no grace.');
      return {
        write: { key, bytes: text, ttlMs: 'keep', when, ifMatch },
        recipe: this.#recipe(text, null, [], 0),
      };
    }
    checkTtl(ttl);
    const ttlMs = milliseconds(ttl);
    const recipe = this.#recipe(text, ttlMs, tags, graceSeconds);
    return { write: { key, bytes: text, ttlMs: recipe ? recipe.lifeMs : ttlMs, when, ifMatch }, recipe };
  }

  /** The writes of checked items; all their tags together cost one round trip. */
  async make(items: readonly CheckedItem[]): Promise<Write[]> {
    if (items.every(({ recipe }) => !recipe)) return items.map(({ write }) => write);
    const generations = await this.generations(items.flatMap(({ recipe }) => recipe ?? []));
    return await Promise.all(
      items.map(async ({ write, recipe }) =>
        recipe ? { ...write, bytes: await this.bytes(recipe, generations) } : write,
      ),
    );
  }

  /** A plain item is one command and nothing else. */
  async storeOne(item: CheckedItem): Promise<WriteOutcome> {
    if (!item.recipe && item.write.when !== 'absent') return await this.#driver.write(item.write);
    const [outcome] = await this.store(await this.make([item]));
    if (outcome instanceof Error) throw outcome;
    return outcome ?? 'absent';
  }

  /** Stores; an entry that a purge has voided is in no one's way who stores over nothing. */
  async store(writes: readonly Write[]): Promise<(WriteOutcome | Error)[]> {
    const [only] = writes;
    const outcomes =
      only && writes.length === 1 ? [await this.#driver.write(only)] : await this.#driver.writeMany(writes);
    const blocked = writes.flatMap((write, at) => (outcomes[at] === 'exists' ? [{ write, at }] : []));
    if (blocked.length === 0 || !(await this.#reader.bury(blocked.map(({ write }) => write.key))))
      return outcomes;
    const again = await this.#driver.writeMany(blocked.map(({ write }) => write));
    for (const [index, { at }] of blocked.entries()) outcomes[at] = again[index] ?? 'exists';
    return outcomes;
  }

  /** Over something or over nothing, whichever it is. Throws `key_exists` when others keep changing that in between. */
  async storeEither(item: CheckedItem): Promise<'created' | 'updated'> {
    const [write = item.write] = await this.make([item]);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      if ((await this.#driver.write({ ...write, when: 'present' })) === 'stored') return 'updated';
      if ((await this.#driver.write({ ...write, when: 'absent' })) === 'stored') return 'created';
    }
    throw refuse(
      'key_exists',
      `Key '${write.key}' came and went ${MAX_TRIES} times while it was to be stored.`,
    );
  }

  /** All or nothing; answers the keys that exist. */
  async storeAllAbsent(writes: readonly Write[]): Promise<string[]> {
    const present = await this.#driver.writeAllAbsent(writes);
    if (present.length === 0 || !(await this.#reader.bury(present))) return present;
    return await this.#driver.writeAllAbsent(writes);
  }

  /** What a value alone would be stored as, under these options. */
  recipe(
    value: unknown,
    options: Pick<SetOptions, 'tags' | 'graceSeconds'> & { ttl?: Ttl | undefined },
  ): Recipe {
    const { ttl = this.#defaultTtl, tags = [], graceSeconds = 0 } = options;
    checkTtl(ttl);
    const text = valueText(value, this.#maxValueBytes);
    const ttlMs = milliseconds(ttl);
    return this.#recipe(text, ttlMs, tags, graceSeconds) ?? { text, graceMs: 0, tags: [], lifeMs: ttlMs };
  }

  async bytes(
    { text, graceMs, tags }: Recipe,
    generations: ReadonlyMap<string, string>,
  ): Promise<StoredInput> {
    const pairs: TagGenerations = tags.map((tag) => [tag, generations.get(tag) ?? ''] as const);
    return await writeFrame(text, { graceMs, tags: pairs, deflateOverBytes: this.#deflateOverBytes });
  }

  /** The generation of each tag, begun where there is none. */
  async generations(recipes: readonly Pick<Recipe, 'tags' | 'lifeMs'>[]): Promise<Map<string, string>> {
    const names = [...new Set(recipes.flatMap(({ tags }) => tags))];
    if (names.length === 0) return new Map();
    const longestMs = Math.max(...recipes.map(({ lifeMs }) => lifeMs ?? 0));
    const opened = await this.#driver.tags.open(names, longestMs);
    return new Map(names.map((name, at) => [name, opened[at] as string]));
  }

  /** Milliseconds that a frame lives when it is to be fresh for `ttl` more; its tags are made to live as long. */
  async lifeOf({ tags, graceSeconds }: CacheEntry, ttl: Ttl): Promise<number | null> {
    if (ttl === 'forever' && tags.length === 0) return null;
    const ttlSeconds = ttl === 'forever' ? MAX_TTL_SECONDS : ttl;
    const lifeMs = (ttlSeconds + graceSeconds) * 1_000;
    await this.generations([{ tags, lifeMs }]);
    return lifeMs;
  }

  /** `undefined` for a plain value. */
  #recipe(
    text: string,
    ttlMs: number | null,
    tags: readonly string[],
    graceSeconds: number,
  ): Recipe | undefined {
    if (tags.length > 0) checkTags(tags);
    if (graceSeconds !== 0) checkGrace(graceSeconds);
    if (tags.length > 0 && ttlMs === null) {
      throw refuse('ttl_invalid', 'An entry with tags needs a TTL that ends.');
    }
    if (tags.length === 0 && graceSeconds === 0 && text.length <= this.#deflateOverBytes) return undefined;
    const graceMs = ttlMs === null ? 0 : graceSeconds * 1_000;
    return { text, graceMs, tags: [...new Set(tags)], lifeMs: ttlMs === null ? null : ttlMs + graceMs };
  }
}

export interface SetResult {
  key: string;
  isStored: boolean;
  /** What is wrong with this item, or what the store said of it. */
  error: Error | undefined;
}

/** A result for each item, in order, and the well-formed ones with their results. */
export function checkAll(
  writer: EntryWriter,
  items: readonly SetItem[],
): { results: SetResult[]; good: { item: CheckedItem; result: SetResult }[] } {
  const results: SetResult[] = items.map(({ key }) => ({ key, isStored: false, error: undefined }));
  const good: { item: CheckedItem; result: SetResult }[] = [];
  for (const [at, item] of items.entries()) {
    const result = results[at] as SetResult;
    try {
      good.push({ item: writer.check(item), result });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      result.error = error;
    }
  }
  return { results, good };
}

/** Why a write did not store, as an error to its caller. */
export function failureOf(key: string, outcome: WriteOutcome): Error | undefined {
  switch (outcome) {
    case 'stored':
      return undefined;
    case 'exists':
      return refuse('key_exists', `Key '${key}' already exists in cache. Use PUT to update existing key.`);
    case 'absent':
      return keyNotFound(key);
    case 'mismatch':
      return etagMismatch(key);
  }
}

export function keyNotFound(key: string): Error {
  return refuse('key_not_found', `No value found for key '${key}'.`);
}

export function etagMismatch(key: string): Error {
  return refuse('etag_mismatch', `The entry of key '${key}' has another ETag.`);
}
