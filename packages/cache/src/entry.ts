/** This file owns what a read answers: one value as it was stored, byte for byte. */
import { hash } from 'node:crypto';

export class CacheEntry {
  /** The value's JSON text, exactly as stored. */
  readonly text: string;
  /** Past its TTL and within its grace: still served, while someone loads a fresh one. */
  readonly isStale: boolean;
  readonly #stored: Buffer;

  constructor(stored: Buffer, text: string, isStale: boolean) {
    this.#stored = stored;
    this.text = text;
    this.isStale = isStale;
  }

  /** Parsed anew at each call, so that no caller can change what another one sees. */
  get value(): unknown {
    return JSON.parse(this.text);
  }

  /** Strong: equal only when the stored bytes are equal. Without the quotes of the HTTP header. */
  get etag(): string {
    return etagOf(this.#stored);
  }
}

/** sha1 in hex, for Redis computes the same in Lua (`redis.sha1hex`). It tells versions apart, it guards no secret. */
export function etagOf(stored: Buffer | string): string {
  return hash('sha1', stored);
}
