/**
 * This file owns loading what the cache lacks: of all callers in all processes one loads, the others wait for its value or
 * take the stale one.
 *
 *     fresh? -> answer
 *     a load of this key under way in this process? -> share it
 *     lease granted -> read once more -> load -> fill (refused when the lease was lost or someone wrote) -> answer
 *     lease held    -> stale? answer that : look again until it is filled, freed, or the wait is over
 *     cooling       -> a load has just failed: like held
 *     missing       -> a load has just found nothing: answer nothing
 *
 * A holder that dies is replaced when its lease ends, `leaseMs` at most after its last sign of life.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@sluice/runtime';
import type { CacheDriver } from './driver.ts';
import { CacheEntry } from './entry.ts';
import { refuse, type Ttl } from './rules.ts';
import type { CacheStats } from './stats.ts';
import type { EntryWriter } from './writing.ts';

/** What a load gives: a value (a `JsonText` byte for byte), or `undefined` when there is none. */
export type Load = (context: { signal: AbortSignal }) => unknown;

export interface LoadOptions {
  ttl?: Ttl | undefined;
  graceSeconds?: number | undefined;
  tags?: readonly string[] | undefined;
  /** Seconds that "there is none" is remembered; default 0, not at all. */
  missingSeconds?: number | undefined;
  /** How soon a dead holder is replaced; default 5 s. A living one renews. */
  leaseMs?: number | undefined;
  /** How long to wait for someone else's load; default 10 s, then `load_timeout`. */
  waitMs?: number | undefined;
  /** Bounds the load itself; default 30 s. Its signal aborts then, and the load has failed. */
  loadTimeoutMs?: number | undefined;
  /** How long after a failed load none is tried while a stale value serves; default 1 s. */
  coolingMs?: number | undefined;
  /** When the store is away: 'load' without it (default; still one load a key in this process) or 'throw'. */
  onOutage?: 'load' | 'throw' | undefined;
  /** Asked before each load, as a rate limit of the upstream: a refusal makes callers take the stale value or wait. */
  admit?: (() => Promise<Admission> | Admission) | undefined;
}

export type Admission = { isAllowed: true } | { isAllowed: false; retryAfterMs: number };

export const DEFAULT_LEASE_MS = 5_000;
const DEFAULT_WAIT_MS = 10_000;
const DEFAULT_LOAD_TIMEOUT_MS = 30_000;
const DEFAULT_COOLING_MS = 1_000;
/** However late the upstream says to come back: a limit may be raised meanwhile. */
const MAX_COOLING_MS = 60_000;
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 100;
const TOKEN_BYTES = 16;

export class Loads {
  readonly #driver: CacheDriver;
  readonly #writer: EntryWriter;
  readonly #stats: CacheStats;
  readonly #read: (key: string) => Promise<CacheEntry | undefined>;
  readonly #changed: (key: string) => void;
  readonly #stopping = new AbortController();
  readonly #flights = new Map<string, Promise<CacheEntry | undefined>>();

  /** `read` looks into the store itself; `changed` is told of each key that was filled or found missing. */
  constructor(options: {
    driver: CacheDriver;
    writer: EntryWriter;
    stats: CacheStats;
    read: (key: string) => Promise<CacheEntry | undefined>;
    changed: (key: string) => void;
  }) {
    this.#driver = options.driver;
    this.#writer = options.writer;
    this.#stats = options.stats;
    this.#read = options.read;
    this.#changed = options.changed;
  }

  /** Aborts the loads that are under way and waits until each has given back its lease. Begins no other. */
  async stop(): Promise<void> {
    this.#stopping.abort(refuse('load_timeout', 'The cache was stopped before the load had ended.'));
    await Promise.allSettled(this.#flights.values());
  }

  /** The load of `key`: one at a time in this process, begun by the first caller with its options. */
  share(key: string, load: Load, options: LoadOptions, hasStale: boolean): Promise<CacheEntry | undefined> {
    // Whoever has nothing must not share a flight that ends early because its caller had a stale value.
    const name = `${hasStale ? 'refresh' : 'load'} ${key}`;
    const underWay = this.#flights.get(name);
    if (underWay) {
      this.#stats.waits += 1;
      return underWay;
    }
    const flight = this.#lead(key, load, options, hasStale).finally(() => this.#flights.delete(name));
    this.#flights.set(name, flight);
    return flight;
  }

  async #lead(
    key: string,
    load: Load,
    options: LoadOptions,
    hasStale: boolean,
  ): Promise<CacheEntry | undefined> {
    try {
      return await this.#leadByLease(key, load, options, hasStale);
    } catch (error) {
      if (!(error instanceof StoreAway) || options.onOutage === 'throw')
        throw error instanceof StoreAway ? error.cause : error;
      return this.#entryOf(await this.#run(load, options), options);
    }
  }

  async #leadByLease(
    key: string,
    load: Load,
    options: LoadOptions,
    hasStale: boolean,
  ): Promise<CacheEntry | undefined> {
    const { leaseMs = DEFAULT_LEASE_MS, waitMs = DEFAULT_WAIT_MS } = options;
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const endsAt = performance.now() + waitMs;
    let pauseMs = FIRST_PAUSE_MS;
    for (let round = 0; ; round += 1) {
      this.#stopping.signal.throwIfAborted();
      const lease = await inStore(this.#driver.leases.take(key, { token, ttlMs: leaseMs, note: '' }));
      if (lease.state === 'missing') return undefined;
      if (lease.state === 'granted') {
        const loaded = await this.#loadUnder(key, token, load, options, hasStale);
        if (loaded !== 'refused') return loaded.entry;
      }
      // Whoever has a stale value does not wait.
      if (hasStale) return undefined;
      if (round === 0) this.#stats.waits += 1;
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) {
        throw refuse(
          'load_timeout',
          `Key '${key}' is being loaded by another caller for longer than ${waitMs} ms.`,
        );
      }
      await delay(Math.min(leftMs, pauseMs * (0.5 + Math.random())));
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
      const entry = await inStore(this.#read(key));
      if (entry && !entry.isStale) return entry;
    }
  }

  /** Loads and fills while the lease is renewed. 'refused': admission was, and the lease is given back. */
  async #loadUnder(
    key: string,
    token: string,
    load: Load,
    options: LoadOptions,
    hasStale: boolean,
  ): Promise<{ entry: CacheEntry | undefined } | 'refused'> {
    const { leases } = this.#driver;
    const { leaseMs = DEFAULT_LEASE_MS, coolingMs = DEFAULT_COOLING_MS, missingSeconds = 0 } = options;
    // Filled between our read and our lease.
    const before = await inStore(this.#read(key));
    if (before && !before.isStale) {
      await inStore(leases.release(key, token, 'none', 0));
      return { entry: before };
    }
    // A lease that could not be renewed is told by the fill.
    const renewal = setInterval(
      () => void leases.renew(key, token, leaseMs).catch(() => undefined),
      leaseMs / 3,
    );
    try {
      const admission = (await options.admit?.()) ?? { isAllowed: true };
      if (!admission.isAllowed) {
        await inStore(
          leases.release(key, token, 'cooling', Math.min(admission.retryAfterMs, MAX_COOLING_MS)),
        );
        return 'refused';
      }
      // Before the load: a purge while it runs voids what it brings.
      const generations = await inStore(this.#writer.generations([this.#lifeOf(options)]));
      const value = await this.#run(load, options);
      if (value === undefined) {
        await leases.release(key, token, 'missing', missingSeconds * 1_000).catch(notStored);
        this.#changed(key);
        return { entry: undefined };
      }
      const recipe = this.#writer.recipe(value, options);
      const bytes = await this.#writer.bytes(recipe, generations);
      const outcome = await leases.fill(key, token, bytes, recipe.lifeMs).catch(notStored);
      this.#changed(key);
      const newer = outcome === 'superseded' ? await this.#read(key).catch(() => undefined) : undefined;
      return { entry: newer ?? entryOf(bytes, recipe.text) };
    } catch (error) {
      await leases.release(key, token, hasStale ? 'cooling' : 'none', coolingMs).catch(() => undefined);
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }

  async #run(load: Load, options: LoadOptions): Promise<unknown> {
    const { loadTimeoutMs = DEFAULT_LOAD_TIMEOUT_MS } = options;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(refuse('load_timeout', `The load took longer than ${loadTimeoutMs} ms.`)),
      loadTimeoutMs,
    );
    const onStop = () => late.abort(this.#stopping.signal.reason);
    this.#stopping.signal.addEventListener('abort', onStop);
    this.#stats.loads += 1;
    try {
      return await Promise.race([Promise.resolve(load({ signal: late.signal })), aborted(late.signal)]);
    } catch (error) {
      this.#stats.loadFailures += 1;
      throw error;
    } finally {
      clearTimeout(timer);
      this.#stopping.signal.removeEventListener('abort', onStop);
    }
  }

  #lifeOf(options: LoadOptions): { tags: readonly string[]; lifeMs: number | null } {
    const { loadTimeoutMs = DEFAULT_LOAD_TIMEOUT_MS } = options;
    const { tags, lifeMs } = this.#writer.recipe(null, options);
    return { tags, lifeMs: lifeMs === null ? null : lifeMs + loadTimeoutMs };
  }

  #entryOf(value: unknown, options: LoadOptions): CacheEntry | undefined {
    if (value === undefined) return undefined;
    const { text } = this.#writer.recipe(value, options);
    return entryOf(text, text);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The store failed, not the load: the caller chose what happens then. */
class StoreAway extends Error {}

async function inStore<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    throw new StoreAway('the store of the cache failed', { cause });
  }
}

/** The value is at hand; that it could not be stored is the next caller's load, not this one's failure. */
function notStored(): 'lost' {
  return 'lost';
}

function entryOf(stored: string | Buffer, text: string): CacheEntry {
  return new CacheEntry(typeof stored === 'string' ? Buffer.from(stored) : stored, text);
}
