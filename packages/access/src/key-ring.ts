/**
 * This file owns who may enter: every API key in memory, kept level with Redis, and the decision on a presented one.
 *
 * A change reaches the process that made it at once and every other within `POLL_INTERVAL_MS` and a round trip. While
 * Redis is away the keys known so far go on opening; before the first load `isLoaded` is false and nobody can be told
 * that a key is wrong.
 */
import type { Keyspace, Secret } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError, type Log, type Service, systemClock } from '@sluice/runtime';
import type { z } from 'zod';
import { FIRST_KEY_MIN_CHARACTERS, foreignKeyId, isForeignKey, mintApiKey, ownKeyId } from './api-key.ts';
import {
  type ChangeCondition,
  type ChangedBy,
  KeyStore,
  type KeyTrail,
  type MintedKey,
  type Snapshot,
  told,
} from './key-store.ts';
import { type KeyPrincipal, KeyTable } from './key-table.ts';
import {
  type AccessErrorCode,
  type KeyPatch,
  type KeyRecord,
  keyPatchSchema,
  MAX_ROTATION_OVERLAP_SECONDS,
  type NewKey,
  newKeySchema,
} from './schemas.ts';

export interface KeyRingOptions {
  /** Of the `request` profile: an answer of Redis that does not come must not hold a change back for ever. */
  client: RedisClient;
  keys: Keyspace;
  /** 32 bytes that Redis never sees; without them a digest stolen from Redis cannot be searched. */
  pepper: Buffer;
  /** SLUICE_API_KEY. Takes the place of the generated first key; another value on a later start revokes the former. */
  firstKey?: Secret | undefined;
  /** Where changes are told, in the same step as they are made. Default: nowhere. */
  trail?: KeyTrail | undefined;
  clock?: Clock;
  log?: Log | undefined;
}

export const POLL_INTERVAL_MS = 1_000;
export const DEFAULT_ROTATION_OVERLAP_MS = 86_400_000;
/** How long a revoked or expired key is still listed. */
export const KEEP_ENDED_MS = 30 * 86_400_000;
/** Last use is remembered to the minute. */
const USED_RESOLUTION_MS = 60_000;
const MAX_OVERLAP_MS = MAX_ROTATION_OVERLAP_SECONDS * 1_000;
/** Ids in one command; the rest goes with the next. */
const BATCH = 500;
const NOT_MADE = 'no key was made';
const NOT_CHANGED = 'the key was not changed';
/** Whose change it is when nobody asked for it. */
const AT_START: ChangedBy = { author: { kind: 'start', id: null, label: 'start' }, requestId: null };

export class KeyRing implements Service {
  readonly name = 'key ring';
  readonly #store: KeyStore;
  readonly #table: KeyTable;
  readonly #client: RedisClient;
  readonly #pepper: Buffer;
  readonly #firstKey: string | undefined;
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  #version: string | undefined;
  #isLoaded = false;
  #isFailing = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #loading: Promise<void> = Promise.resolve();
  readonly #used = new Set<string>();
  readonly #listeners: (() => void)[] = [];
  readonly #onReady = () => void this.#poll();

  constructor(options: KeyRingOptions) {
    const firstKey = options.firstKey?.reveal();
    if (firstKey !== undefined && !isForeignKey(firstKey)) {
      throw new TypeError(
        `the first key must be ${FIRST_KEY_MIN_CHARACTERS} to 256 visible ASCII characters`,
      );
    }
    this.#store = new KeyStore(options);
    this.#table = new KeyTable({ pepper: options.pepper, log: options.log });
    this.#client = options.client;
    this.#pepper = options.pepper;
    this.#firstKey = firstKey;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log;
  }

  /** False until the keys have been read once: nobody can be called unknown before. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Called after every load that brought another state. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Keys that open and have a quota, as known here. */
  quotas(): KeyPrincipal[] {
    return [...this.#table.all()]
      .map(({ principal }) => principal)
      .filter(({ quota }) => quota !== undefined);
  }

  /** Reads the keys now when Redis is there, else as soon as it is; never rejects. */
  async start(): Promise<void> {
    this.#client.on('ready', this.#onReady);
    if (this.#client.status === 'ready') await this.#poll();
    else this.#pollLater();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#client.off('ready', this.#onReady);
    await this.#loading;
  }

  /**
   * Whose key this is, or `undefined` for every key that does not open: unknown, wrong, revoked, expired. From memory.
   */
  authenticate(presented: string): KeyPrincipal | undefined {
    const entry = this.#table.find(presented);
    if (!entry) return undefined;
    const now = this.#clock.now();
    if (entry.expiresAt <= now) return undefined;
    if (now - entry.usedAt >= USED_RESOLUTION_MS) {
      entry.usedAt = now;
      this.#used.add(entry.stored.id);
    }
    return entry.principal;
  }

  /** The principal of a key that was proved before and still opens: for a session that names the key it was begun with. */
  principal(id: string): KeyPrincipal | undefined {
    const entry = this.#table.get(id);
    return entry && entry.expiresAt > this.#clock.now() ? entry.principal : undefined;
  }

  /** Makes a key; its text is in the answer and nowhere else. Throws `key_invalid`, `too_many_keys`, `secret_changed`. */
  async create(input: NewKey, by: ChangedBy = AT_START): Promise<MintedKey> {
    const draft = checked(newKeySchema, input);
    this.#requireFuture(draft.expiresAt);
    const minted = await this.#store.create(draft, this.#endedLongAgo(await this.#store.load()), by);
    await this.#reload();
    return minted;
  }

  /** As Redis holds it now. Throws `key_unknown`. */
  get(id: string): Promise<KeyRecord> {
    return this.#store.read(id);
  }

  /**
   * Changes what the patch names. Throws `key_invalid`, `key_unknown`, `key_ended` for a revoked key, and by the condition
   * `key_changed`, `last_admin_key`.
   */
  async update(
    id: string,
    patch: KeyPatch,
    by: ChangedBy = AT_START,
    condition: ChangeCondition = {},
  ): Promise<KeyRecord> {
    const draft = checked(keyPatchSchema, patch, NOT_CHANGED);
    this.#requireFuture(draft.expiresAt, NOT_CHANGED);
    const record = await this.#store.patch(id, draft, by, condition);
    await this.#reload();
    return record;
  }

  /** Every key not yet forgotten, the oldest first. */
  async list(): Promise<KeyRecord[]> {
    const { keys, lastUsedAt } = await this.#store.load();
    return [...keys.values()]
      .map((stored) => told(stored, lastUsedAt.get(stored.id) ?? null))
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  }

  /**
   * Ends a key here at once, elsewhere within two seconds. Revoking twice changes nothing. Throws `key_unknown`, and by the
   * condition `key_changed`, `last_admin_key`.
   */
  async revoke(id: string, by: ChangedBy = AT_START, condition: ChangeCondition = {}): Promise<KeyRecord> {
    const record = await this.#store.revoke(id, by, condition);
    this.#table.remove(id);
    await this.#reload();
    return record;
  }

  /**
   * A new key of the same label, scopes and length of life. The old one works for `overlapMs` more (default a day, at
   * most 90; 0 ends it now). Throws `key_unknown`, `key_ended`, `too_many_keys`, `secret_changed`, and by the condition
   * `key_changed`.
   */
  async rotate(
    id: string,
    options: { overlapMs?: number } & Pick<ChangeCondition, 'version'> = {},
    by: ChangedBy = AT_START,
  ): Promise<MintedKey> {
    const { overlapMs = DEFAULT_ROTATION_OVERLAP_MS, version } = options;
    if (!(Number.isInteger(overlapMs) && overlapMs >= 0 && overlapMs <= MAX_OVERLAP_MS)) {
      throw invalid(`overlapMs: wanted 0 to ${MAX_OVERLAP_MS}, got ${overlapMs}`);
    }
    const minted = await this.#store.rotate(id, overlapMs, by, { version });
    await this.#reload();
    return minted;
  }

  /**
   * Sees to it that somebody can enter: a key of all scopes, generated when there is no key at all, in one of however
   * many processes start together. That one gets it, to print it once; the others get `undefined`, and so does
   * everybody when the first key was given. Throws `secret_changed`.
   */
  async ensureFirstKey(): Promise<{ key: string } | undefined> {
    if (this.#firstKey !== undefined) {
      await this.#putGiven(this.#firstKey);
      await this.#reload();
      if (!this.#table.find(this.#firstKey))
        this.#log?.warn('the key of SLUICE_API_KEY has been revoked and opens nothing');
      return undefined;
    }
    const { id, key } = mintApiKey();
    const isCreated = await this.#store.putFirst(id, key, 'first', AT_START);
    await this.#reload();
    return isCreated ? { key } : undefined;
  }

  #poll(): Promise<void> {
    return this.#enqueue(async () => {
      if (!this.#isLoaded || (await this.#store.version()) !== this.#version) await this.#load();
      // Last, for a Redis that takes no writes must not hide changes.
      if (this.#used.size > 0) await this.#flushUsed();
    }).finally(() => this.#pollLater());
  }

  #pollLater(): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(this.#onReady, POLL_INTERVAL_MS).unref();
  }

  /** After a change of our own; a failure is the next poll's. */
  #reload(): Promise<void> {
    return this.#enqueue(() => this.#load());
  }

  /** One load at a time, so that an older answer cannot overtake a newer. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#loading = this.#loading.then(work).then(
      () => {
        this.#isFailing = false;
      },
      (error: unknown) => {
        if (!this.#isFailing) this.#log?.warn({ error }, 'keys not read');
        this.#isFailing = true;
      },
    );
    return this.#loading;
  }

  async #load(): Promise<void> {
    let snapshot = await this.#store.load();
    if (snapshot.version === undefined && this.#isLoaded && this.#firstKey !== undefined) {
      // Redis has lost its data: the environment still says who may enter.
      await this.#putGiven(this.#firstKey);
      snapshot = await this.#store.load();
    }
    const { unreadable, isOtherPepper } = snapshot;
    if (unreadable.length > 0)
      this.#log?.error({ keyIds: unreadable.slice(0, 10) }, 'key records not readable');
    if (isOtherPepper) this.#log?.error('keys were made with another master secret, none of them opens');
    this.#table.replace(snapshot);
    this.#version = snapshot.version;
    this.#isLoaded = true;
    for (const listener of this.#listeners) listener();
  }

  async #flushUsed(): Promise<void> {
    const ids = [...this.#used].slice(0, BATCH);
    await this.#store.markUsed(ids);
    for (const id of ids) this.#used.delete(id);
  }

  async #putGiven(key: string): Promise<void> {
    const id = ownKeyId(key) ?? foreignKeyId(this.#pepper, key);
    await this.#store.putFirst(id, key, 'environment', AT_START);
  }

  #requireFuture(expiresAt: number | null | undefined, outcome = NOT_MADE): void {
    if (expiresAt && expiresAt <= this.#clock.now())
      throw invalid(`expiresAt: ${new Date(expiresAt).toISOString()} is past`, outcome);
  }

  #endedLongAgo({ keys }: Snapshot): string[] {
    const before = this.#clock.now() - KEEP_ENDED_MS;
    return [...keys.values()]
      .filter(({ revokedAt, expiresAt }) => (revokedAt ?? expiresAt ?? Number.POSITIVE_INFINITY) < before)
      .map(({ id }) => id)
      .slice(0, BATCH);
  }
}

function checked<T>(schema: z.ZodType<T>, input: unknown, outcome = NOT_MADE): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalid(
    parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'key'}: ${message}`).join('; '),
    outcome,
  );
}

function invalid(reason: string, outcome = NOT_MADE): DomainError<AccessErrorCode> {
  return new DomainError('key_invalid', `${outcome}: ${reason}`);
}
