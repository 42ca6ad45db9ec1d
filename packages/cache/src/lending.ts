/** This file owns leases for callers outside this process: one of many gets the right to fill an entry, the others its value or a wait. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CacheDriver } from './driver.ts';
import type { CacheEntry } from './entry.ts';
import type { TagGenerations } from './frame.ts';
import { checkKey, checkTags, refuse, type Ttl } from './rules.ts';
import { MAX_LEASE_MS } from './schemas.ts';
import type { EntryWriter } from './writing.ts';

/**
 * - `hit` a fresh value is there
 * - `granted` the caller is to fill, with `token`, within `leftMs`; `entry` may be a stale value
 * - `held` another fills; `cooling` a fill has just failed: `entry` may be a stale value
 * - `missing` the last holder found that there is nothing
 */
export type Lending =
  | { state: 'hit'; entry: CacheEntry }
  | { state: 'granted'; token: string; leftMs: number; entry: CacheEntry | undefined }
  | { state: 'held' | 'cooling'; leftMs: number; entry: CacheEntry | undefined }
  | { state: 'missing'; leftMs: number; entry: undefined };

export interface LendOptions {
  leaseMs: number;
  /** How long to wait while another fills and there is no stale value; default 0. */
  waitMs?: number;
  /** Tags the fill will bear: a purge after this moment voids it. */
  tags?: readonly string[];
  signal?: AbortSignal;
}

export interface FillOptions {
  ttl?: Ttl | undefined;
  graceSeconds?: number | undefined;
  tags?: readonly string[] | undefined;
}

const PAUSE_MS = 50;
const TOKEN_BYTES = 24;

export class Lender {
  readonly #driver: CacheDriver;
  readonly #writer: EntryWriter;
  readonly #read: (key: string) => Promise<CacheEntry | undefined>;
  readonly #changed: (key: string) => void;

  constructor(options: {
    driver: CacheDriver;
    writer: EntryWriter;
    read: (key: string) => Promise<CacheEntry | undefined>;
    changed: (key: string) => void;
  }) {
    this.#driver = options.driver;
    this.#writer = options.writer;
    this.#read = options.read;
    this.#changed = options.changed;
  }

  async lend(key: string, options: LendOptions): Promise<Lending> {
    const { leaseMs, waitMs = 0, tags = [], signal } = options;
    checkKey(key);
    checkTags(tags);
    const ttlMs = Math.min(leaseMs, MAX_LEASE_MS);
    const endsAt = performance.now() + waitMs;
    for (;;) {
      const entry = await this.#read(key);
      if (entry && !entry.isStale) return { state: 'hit', entry };
      const lending = await this.#take(key, ttlMs, tags, entry);
      const filled = lending.state === 'granted' ? await this.#filledBefore(key, lending.token) : undefined;
      if (filled) return { state: 'hit', entry: filled };
      const isSettled = lending.state === 'granted' || lending.state === 'missing' || entry !== undefined;
      if (isSettled || performance.now() >= endsAt || signal?.aborted) return lending;
      await delay(Math.min(PAUSE_MS, endsAt - performance.now()));
    }
  }

  /** Throws `cache_lease_lost` when the lease has ended, the entry was written or deleted since, or a tag was purged. */
  async fill(key: string, token: string, value: unknown, options: FillOptions = {}): Promise<void> {
    checkKey(key);
    const recipe = this.#writer.recipe(value, options);
    const generations = await this.#writer.generations([recipe]);
    const note = recipe.tags.length === 0 ? '' : await this.#driver.leases.note(key, token);
    if (note === undefined) throw lost(key);
    const noted: TagGenerations = note === '' ? [] : JSON.parse(note);
    if (noted.some(([tag, generation]) => generations.has(tag) && generations.get(tag) !== generation)) {
      await this.#driver.leases.release(key, token, 'none', 0);
      throw refuse('cache_lease_lost', `A tag of key '${key}' was purged while its value was made.`);
    }
    const bytes = await this.#writer.bytes(recipe, generations);
    const outcome = await this.#driver.leases.fill(key, token, bytes, recipe.lifeMs);
    if (outcome !== 'filled') throw lost(key);
    this.#changed(key);
  }

  /** Throws `cache_lease_lost`. */
  async renew(key: string, token: string, leaseMs: number): Promise<void> {
    checkKey(key);
    const isHeld = await this.#driver.leases.renew(key, token, Math.min(leaseMs, MAX_LEASE_MS));
    if (!isHeld) throw lost(key);
  }

  /**
   * Gives the lease back unfilled. `missing`: there is nothing to fill with, the entry goes, and `forMs` long others are
   * told so. `cooling`: the fill failed, and nobody gets the lease for `forMs`. Throws `cache_lease_lost`.
   */
  async giveBack(
    key: string,
    token: string,
    options: { word?: 'none' | 'cooling' | 'missing'; forMs?: number } = {},
  ): Promise<void> {
    const { word = 'none', forMs = 0 } = options;
    checkKey(key);
    const isHeld = await this.#driver.leases.release(key, token, word, Math.min(forMs, MAX_LEASE_MS));
    if (!isHeld) throw lost(key);
    if (word === 'missing') this.#changed(key);
  }

  /** What another holder filled in between our read and our lease; the lease goes back then. */
  async #filledBefore(key: string, token: string): Promise<CacheEntry | undefined> {
    const entry = await this.#read(key);
    if (!entry || entry.isStale) return undefined;
    await this.#driver.leases.release(key, token, 'none', 0);
    return entry;
  }

  async #take(
    key: string,
    ttlMs: number,
    tags: readonly string[],
    entry: CacheEntry | undefined,
  ): Promise<Lending> {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const generations = await this.#writer.generations([{ tags, lifeMs: MAX_LEASE_MS }]);
    const note = tags.length === 0 ? '' : JSON.stringify([...generations]);
    const { state, leftMs } = await this.#driver.leases.take(key, { token, ttlMs, note });
    switch (state) {
      case 'granted':
        return { state, token, leftMs, entry };
      case 'missing':
        return { state, leftMs, entry: undefined };
      case 'held':
      case 'cooling':
        return { state, leftMs, entry };
    }
  }
}

function lost(key: string): Error {
  return refuse(
    'cache_lease_lost',
    `The lease of key '${key}' has ended, or its entry was written or deleted since.`,
  );
}
