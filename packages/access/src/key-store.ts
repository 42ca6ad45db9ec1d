/** This file owns the records of API keys in Redis: one hash, changed by scripts, read as a whole. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import { z } from 'zod';
import { keyDigest, mintApiKey, pepperMark } from './api-key.ts';
import { accessKeys } from './keys.ts';
import {
  type AccessErrorCode,
  type KeyPatch,
  type KeyRecord,
  keyRecordSchema,
  type NewKey,
} from './schemas.ts';
import * as scripts from './scripts.ts';

const storedKeySchema = keyRecordSchema.omit({ lastUsedAt: true }).extend({ digest: z.string().length(43) });
export type StoredKey = z.infer<typeof storedKeySchema>;

/** Whose change it is, as the trail is told. */
export interface ChangedBy {
  /** Plain JSON of the trail's owner. */
  author: unknown;
  /** `null`: not asked over HTTP. */
  requestId: string | null;
}

/** The stream that changes are told to, in the hash slot of `{prefix}:system:keys`. Its owner reads and bounds it. */
export interface KeyTrail {
  key: string;
  /** About so many entries stay. */
  maxEntries: number;
}

/** The condition of a change. */
export interface ChangeCondition {
  /** The version the key must be at; `undefined`: any. */
  version?: number | undefined;
  /** The last key that opens everything stays one. Default false. */
  keepsAdmin?: boolean | undefined;
}

export interface Snapshot {
  /** `undefined`: the hash holds no key and never did. */
  version: string | undefined;
  keys: ReadonlyMap<string, StoredKey>;
  lastUsedAt: ReadonlyMap<string, number>;
  /** Ids whose record cannot be read; such a key opens nothing. */
  unreadable: readonly string[];
  isOtherPepper: boolean;
}

/** A key as it is told once, to whoever made it. */
export interface MintedKey {
  id: string;
  key: string;
  record: KeyRecord;
}

/** About 10,000 keys, each with its last use; one load of them all takes some 20 ms. */
const MAX_FIELDS = 20_000;
const FIRST_KEY_SCOPES = ['*'];

export class KeyStore {
  readonly #client: RedisClient;
  readonly #records: string;
  readonly #pepper: Buffer;
  readonly #mark: string;
  readonly #trail: KeyTrail | undefined;

  constructor(options: {
    client: RedisClient;
    keys: Keyspace;
    pepper: Buffer;
    trail?: KeyTrail | undefined;
  }) {
    this.#client = options.client;
    this.#trail = options.trail;
    this.#records = accessKeys(options.keys).records;
    this.#pepper = options.pepper;
    this.#mark = pepperMark(options.pepper);
  }

  async version(): Promise<string | undefined> {
    return (await this.#client.hget(this.#records, '@version')) ?? undefined;
  }

  async load(): Promise<Snapshot> {
    const fields = await this.#client.hgetall(this.#records);
    const keys = new Map<string, StoredKey>();
    const lastUsedAt = new Map<string, number>();
    const unreadable: string[] = [];
    for (const [field, text] of Object.entries(fields)) {
      if (field.startsWith('@used:')) lastUsedAt.set(field.slice('@used:'.length), Number(text));
      if (field.startsWith('@')) continue;
      const record = readStored(text);
      if (record?.id === field) keys.set(field, record);
      else unreadable.push(field);
    }
    const mark = fields['@pepper'];
    return {
      version: fields['@version'],
      keys,
      lastUsedAt,
      unreadable,
      isOtherPepper: mark !== undefined && mark !== this.#mark,
    };
  }

  /** Throws `key_unknown`. */
  async read(id: string): Promise<KeyRecord> {
    const [text = null, usedAt = null] = await this.#client.hmget(this.#records, id, `@used:${id}`);
    const stored = text === null ? undefined : readStored(text);
    if (stored?.id !== id) throw unknown(id);
    return told(stored, usedAt === null ? null : Number(usedAt));
  }

  /** Makes a key and forgets the ended ones named in `forget`. */
  async create(input: NewKey, forget: readonly string[], by: ChangedBy): Promise<MintedKey> {
    const { id, key } = mintApiKey();
    const record = this.#draft(id, key, input, 'made');
    const reply = await scripts.putKey.run(this.#client, {
      keys: this.#keys,
      args: { by: this.#by(by), id, record, pepper: this.#mark, max_fields: MAX_FIELDS },
      moreArgs: forget,
    });
    return { id, key, record: told(this.#stored(reply)) };
  }

  /** True when this call stored the key, false when there was nothing to do. */
  async putFirst(id: string, key: string, origin: 'first' | 'environment', by: ChangedBy): Promise<boolean> {
    const label = origin === 'first' ? 'first key' : 'SLUICE_API_KEY';
    const record = this.#draft(id, key, { label, scopes: FIRST_KEY_SCOPES }, origin);
    const reply = await scripts.firstKey.run(this.#client, {
      keys: this.#keys,
      args: { by: this.#by(by), id, record, pepper: this.#mark },
    });
    if (reply === 'secret_changed') throw secretChanged();
    return reply === 'created';
  }

  async revoke(id: string, by: ChangedBy, condition: ChangeCondition): Promise<KeyRecord> {
    const reply = await scripts.revokeKey.run(this.#client, {
      keys: this.#keys,
      args: { by: this.#by(by), id, ...conditionArgs(condition) },
    });
    if (reply === null) throw unknown(id);
    return told(this.#changed(id, reply));
  }

  async patch(id: string, patch: KeyPatch, by: ChangedBy, condition: ChangeCondition): Promise<KeyRecord> {
    const reply = await scripts.patchKey.run(this.#client, {
      keys: this.#keys,
      args: { by: this.#by(by), id, ...conditionArgs(condition), patch: JSON.stringify(patch) },
    });
    if (reply === 'unknown') throw unknown(id);
    if (reply === 'ended')
      throw fault('key_ended', `the key ${id} is revoked for good; make a new one instead`);
    return told(this.#changed(id, reply));
  }

  async rotate(
    id: string,
    overlapMs: number,
    by: ChangedBy,
    { version }: ChangeCondition,
  ): Promise<MintedKey> {
    const { id: newId, key } = mintApiKey();
    const reply = await scripts.rotateKey.run(this.#client, {
      keys: this.#keys,
      args: {
        by: this.#by(by),
        id,
        expected: version ?? '',
        new_id: newId,
        digest: keyDigest(this.#pepper, key).toString('base64url'),
        pepper: this.#mark,
        overlap_ms: overlapMs,
        max_fields: MAX_FIELDS,
      },
    });
    if (reply === 'unknown') throw unknown(id);
    if (reply === 'ended')
      throw fault('key_ended', `the key ${id} is revoked, expired or suspended; make a new one instead`);
    return { id: newId, key, record: told(this.#changed(id, reply)) };
  }

  async markUsed(ids: readonly string[]): Promise<void> {
    await scripts.markUsed.run(this.#client, { keys: { records: this.#records }, args: {}, moreArgs: ids });
  }

  #draft(id: string, key: string, input: NewKey, origin: StoredKey['origin']): string {
    return JSON.stringify({
      id,
      label: input.label,
      scopes: input.scopes,
      isActive: true,
      quota: input.quota ?? null,
      version: 1,
      origin,
      createdAt: 0,
      expiresAt: input.expiresAt ?? null,
      revokedAt: null,
      replacedBy: null,
      digest: keyDigest(this.#pepper, key).toString('base64url'),
    } satisfies StoredKey);
  }

  /** Without a trail the second key names nothing that is touched. */
  get #keys(): { records: string; trail: string } {
    return { records: this.#records, trail: this.#trail?.key ?? this.#records };
  }

  /** `by` of the scripts. */
  #by({ author, requestId }: ChangedBy): string {
    if (!this.#trail) return '';
    const { maxEntries: max } = this.#trail;
    return JSON.stringify({ author: JSON.stringify(author), request: requestId ?? '', max });
  }

  #changed(id: string, reply: unknown): StoredKey {
    if (reply === 'changed') throw fault('key_changed', `the key ${id} was changed meanwhile; read it again`);
    if (reply === 'last_admin') {
      throw fault(
        'last_admin_key',
        `the key ${id} is the last that opens everything; make another one first, or nobody gets in any more`,
      );
    }
    return this.#stored(reply);
  }

  #stored(reply: unknown): StoredKey {
    if (reply === 'secret_changed') throw secretChanged();
    if (reply === 'full')
      throw fault('too_many_keys', 'no more keys fit; revoked ones make room after 30 days');
    const record = readStored(String(reply));
    if (!record) throw new Error('a script of access answered something that is no key record');
    return record;
  }
}

/** A record without what nobody is told. */
export function told({ digest, ...record }: StoredKey, lastUsedAt: number | null = null): KeyRecord {
  return { ...record, lastUsedAt };
}

/** `undefined` for what is not JSON or not a record: Redis is shared, and a key of unknown shape must open nothing. */
function readStored(text: string): StoredKey | undefined {
  try {
    return storedKeySchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function conditionArgs({ version, keepsAdmin = false }: ChangeCondition): {
  expected: number | '';
  keeps_admin: 0 | 1;
} {
  return { expected: version ?? '', keeps_admin: keepsAdmin ? 1 : 0 };
}

function unknown(id: string): DomainError<AccessErrorCode> {
  return fault('key_unknown', `no key has the id ${id}`);
}

function fault(code: AccessErrorCode, message: string): DomainError<AccessErrorCode> {
  return new DomainError(code, message);
}

function secretChanged(): DomainError<AccessErrorCode> {
  return fault(
    'secret_changed',
    'the stored API keys were made with another master secret; start with that one, or remove the stored keys',
  );
}
