/** This file owns the keys in memory: which of them a presented text proves, in time that tells nothing. */
import { timingSafeEqual } from 'node:crypto';
import type { Log } from '@sluice/runtime';
import { foreignKeyId, isForeignKey, keyDigest, ownKeyId } from './api-key.ts';
import { Grants } from './grants.ts';
import type { Snapshot, StoredKey } from './key-store.ts';
import type { KeyQuota } from './schemas.ts';

/** Who calls, by an API key. */
export interface KeyPrincipal {
  readonly kind: 'key';
  readonly id: string;
  readonly label: string;
  readonly grants: Grants;
  /** Absent: none. */
  readonly quota?: KeyQuota;
}

export interface Entry {
  readonly stored: StoredKey;
  readonly principal: KeyPrincipal;
  readonly digest: Buffer;
  /** Milliseconds since the epoch; `Infinity` for a key without an end. */
  readonly expiresAt: number;
  /** The key itself after it has proved right once, so that the next time costs no HMAC. */
  proved: Buffer | undefined;
  usedAt: number;
}

const DUMMY = Buffer.alloc(66);
const DUMMY_DIGEST = Buffer.alloc(32);

/** Keys that are neither revoked nor suspended. Bounded as the store is: what it holds is about 200 bytes a key and its scopes. */
export class KeyTable {
  readonly #pepper: Buffer;
  readonly #log: Log | undefined;
  #entries = new Map<string, Entry>();
  /** Ids of proved keys whose text carries no id; there is one of them for each SLUICE_API_KEY in use. */
  #foreign = new Set<string>();

  constructor(options: { pepper: Buffer; log: Log | undefined }) {
    this.#pepper = options.pepper;
    this.#log = options.log;
  }

  /** The entry that this text proves. Expiry is for the caller to look at. */
  find(presented: string): Entry | undefined {
    const ownId = ownKeyId(presented);
    if (ownId !== undefined) return this.#prove(this.#entries.get(ownId), Buffer.from(presented, 'latin1'));
    if (!isForeignKey(presented)) return undefined;
    const bytes = Buffer.from(presented, 'latin1');
    for (const id of this.#foreign) {
      const entry = this.#entries.get(id);
      if (entry?.proved && isSame(entry.proved, bytes)) return entry;
    }
    const entry = this.#prove(this.#entries.get(foreignKeyId(this.#pepper, presented)), bytes);
    if (entry) this.#foreign.add(entry.stored.id);
    return entry;
  }

  all(): Iterable<Entry> {
    return this.#entries.values();
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  remove(id: string): void {
    this.#entries.delete(id);
    this.#foreign.delete(id);
  }

  /** Takes over what Redis holds; what a key has proved stays as long as its digest does. */
  replace({ keys, lastUsedAt }: Snapshot): void {
    const entries = new Map<string, Entry>();
    for (const stored of keys.values()) {
      if (stored.revokedAt !== null || !stored.isActive) continue;
      const known = this.#entries.get(stored.id);
      const entry = known?.stored.digest === stored.digest ? known : undefined;
      const principal =
        entry && isSameRight(entry.stored, stored) ? entry.principal : this.#principalOf(stored);
      if (!principal) continue;
      entries.set(stored.id, {
        stored,
        principal,
        digest: entry?.digest ?? Buffer.from(stored.digest, 'base64url'),
        expiresAt: stored.expiresAt ?? Number.POSITIVE_INFINITY,
        proved: entry?.proved,
        usedAt: entry?.usedAt ?? lastUsedAt.get(stored.id) ?? 0,
      });
    }
    this.#entries = entries;
    this.#foreign = new Set([...this.#foreign].filter((id) => entries.has(id)));
  }

  /** Whoever fails has had two comparisons and one HMAC, whether the id exists or not. */
  #prove(entry: Entry | undefined, presented: Buffer): Entry | undefined {
    const isKnown = isSame(entry?.proved ?? DUMMY, presented);
    if (isKnown && entry?.proved) return entry;
    const isRight = timingSafeEqual(entry?.digest ?? DUMMY_DIGEST, keyDigest(this.#pepper, presented));
    if (!isRight || !entry) return undefined;
    entry.proved = presented;
    return entry;
  }

  /** `undefined` when a scope cannot be read, as one of a later version: the key opens nothing rather than something else. */
  #principalOf({ id, label, scopes, quota }: StoredKey): KeyPrincipal | undefined {
    try {
      return Object.freeze({ kind: 'key', id, label, grants: new Grants(scopes), ...(quota && { quota }) });
    } catch (error) {
      this.#log?.error({ keyId: id, error }, 'key with unknown scopes opens nothing');
      return undefined;
    }
  }
}

/** Lengths are no secret; contents are compared in the same time wherever they differ. */
function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function isSameRight(a: StoredKey, b: StoredKey): boolean {
  const isSameQuota = JSON.stringify(a.quota) === JSON.stringify(b.quota);
  return a.label === b.label && a.scopes.join() === b.scopes.join() && isSameQuota;
}
