/** This file owns what is counted of a cache in this process, since it was opened. */
import type { CacheEntry } from './entry.ts';

/** The counts alone. */
export type CacheCounts = Readonly<Omit<CacheStats, 'found'>>;

export class CacheStats {
  /** Reads that found an entry; `staleHits` and `nearHits` are among them. */
  hits = 0;
  staleHits = 0;
  nearHits = 0;
  misses = 0;
  stored = 0;
  removed = 0;
  /** Loads begun here, and those of them that failed. */
  loads = 0;
  loadFailures = 0;
  /** Callers who waited for a load that another caller had begun, here or in another process. */
  waits = 0;
  purgedTags = 0;

  /** Counts what a read found, and answers it. */
  found(entry: CacheEntry | undefined): CacheEntry | undefined {
    if (!entry) this.misses += 1;
    else {
      this.hits += 1;
      if (entry.isStale) this.staleHits += 1;
    }
    return entry;
  }
}
