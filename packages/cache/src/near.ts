/**
 * This file owns entries kept in this process, in front of the store: bounded in number, bytes and age, and trusted only
 * while the bus that tells of changes is heard.
 *
 *     read: near -> store          write: store -> bus -> every process' near
 *
 * What may be wrong and for how long: a change by another process is seen when its message arrives, within milliseconds.
 * A message can be lost only with the subscription. Then the bus falls silent, and after `SILENCE_MS` at most nothing
 * near is answered any more; everything near is dropped before it is heard again. Who writes past this package, with
 * redis-cli say, is noticed when the entry's age ends (`maxAgeMs`).
 */
import type { Clock } from '@sluice/runtime';
import type { InvalidationBus } from './bus.ts';
import type { CacheEntry } from './entry.ts';

export interface NearOptions {
  /** Default 10,000. */
  maxEntries?: number;
  /** Of keys and values together; default 64 MiB. */
  maxBytes?: number;
  /** How long an entry is answered from here before it is read again; default 60 s. */
  maxAgeMs?: number;
}

const DEFAULT_MAX_ENTRIES = 10_000;
const DEFAULT_MAX_BYTES = 67_108_864;
const DEFAULT_MAX_AGE_MS = 60_000;
/** Keys share these counters by hash: a change of one makes a read of another, at worst, not be kept. */
const VERSION_SLOTS = 1_024;

interface Kept {
  entry: CacheEntry;
  endsAtMs: number;
  bytes: number;
}

export class Near {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #maxAgeMs: number;
  readonly #bus: InvalidationBus;
  readonly #clock: Clock;
  /** In order of use, the least recent first. */
  readonly #kept = new Map<string, Kept>();
  readonly #versions = new Uint32Array(VERSION_SLOTS);
  #bytes = 0;

  constructor(options: NearOptions & { bus: InvalidationBus; clock: Clock }) {
    this.#maxEntries = options.maxEntries ?? DEFAULT_MAX_ENTRIES;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#maxAgeMs = options.maxAgeMs ?? DEFAULT_MAX_AGE_MS;
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#bus.onChange((keys) => this.#forget(keys));
  }

  start(): Promise<void> {
    return this.#bus.start();
  }

  stop(): Promise<void> {
    return this.#bus.stop();
  }

  get(key: string): CacheEntry | undefined {
    const kept = this.#kept.get(key);
    if (!kept || !this.#bus.isHeard) return undefined;
    if (kept.endsAtMs <= this.#clock.monotonicMs()) {
      this.#drop(key);
      return undefined;
    }
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.entry;
  }

  /** To be taken before a read and given to `keep` after it: what changed in between is not kept. */
  version(key: string): number {
    return this.#versions[slotOf(key)] as number;
  }

  /** `leftMs` until the entry is no longer fresh; `null` never. */
  keep(key: string, entry: CacheEntry, leftMs: number | null, version: number): void {
    if (!this.#bus.isHeard || version !== this.version(key)) return;
    const bytes = entry.sizeBytes + key.length;
    if (bytes > this.#maxBytes / 16) return;
    this.#drop(key);
    const endsAtMs = this.#clock.monotonicMs() + Math.min(leftMs ?? this.#maxAgeMs, this.#maxAgeMs);
    this.#kept.set(key, { entry, endsAtMs, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  /** These entries have changed in the store, or `'all'`: forgotten here and told to every process. */
  changed(keys: readonly string[] | 'all'): void {
    this.#forget(keys);
    this.#bus.tell(keys);
  }

  #forget(keys: readonly string[] | 'all'): void {
    if (keys === 'all') {
      for (let slot = 0; slot < VERSION_SLOTS; slot += 1)
        this.#versions[slot] = (this.#versions[slot] as number) + 1;
      this.#kept.clear();
      this.#bytes = 0;
      return;
    }
    for (const key of keys) {
      const slot = slotOf(key);
      this.#versions[slot] = (this.#versions[slot] as number) + 1;
      this.#drop(key);
    }
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }
}

/** FNV-1a over the UTF-16 units. */
function slotOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % VERSION_SLOTS;
}
