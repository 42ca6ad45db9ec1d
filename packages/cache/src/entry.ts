/** This file owns what a read answers: one value as it was stored, byte for byte. */
import { hash } from 'node:crypto';
import type { Frame } from './frame.ts';

export class CacheEntry {
  /** The value's JSON text, exactly as stored. */
  readonly text: string;
  /** Past its TTL and within its grace: still served, while someone loads a fresh one. */
  readonly isStale: boolean;
  readonly #stored: Buffer;
  readonly #frame: Frame | undefined;

  constructor(stored: Buffer, text: string, isStale = false, frame?: Frame) {
    this.#stored = stored;
    this.#frame = frame;
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

  get isFramed(): boolean {
    return this.#frame !== undefined;
  }

  /** Seconds after its TTL in which it is still served as stale. */
  get graceSeconds(): number {
    return (this.#frame?.graceMs ?? 0) / 1_000;
  }

  get tags(): string[] {
    return this.#frame?.tags.map(([tag]) => tag) ?? [];
  }

  /** About what it takes in memory. */
  get sizeBytes(): number {
    return this.#stored.length + this.text.length;
  }
}

export interface TimedEntry {
  entry: CacheEntry;
  /** Whole seconds until it is stale or gone, at least 1; 0 when it is stale, `null` without end. */
  ttlSeconds: number | null;
}

/** sha1 in hex, for Redis computes the same in Lua (`redis.sha1hex`). It tells versions apart, it guards no secret. */
export function etagOf(stored: Buffer | string): string {
  return hash('sha1', stored);
}
