/** This file owns what a scrape is told of cache services, as this process has counted it. */
import type { Counter, Metrics } from '@sluice/runtime';
import type { CacheServices } from '../cache-services.ts';

/** Tallied in plain numbers and copied at a scrape: a labelled counter would cost more than a read from memory. */
export function registerCacheMetrics({
  metrics,
  cacheServices,
}: {
  metrics: Metrics;
  cacheServices: CacheServices;
}): void {
  const reads = metrics.counter('sluice_cache_outcomes_total', 'What reads of a cache service came to', [
    'service',
    'outcome',
  ]);
  const operations = metrics.counter('sluice_cache_operations_total', 'What a cache service did', [
    'service',
    'operation',
  ]);
  metrics.beforeScrape(async () => {
    reads.reset();
    operations.reset();
    for (const { cache } of cacheServices.all()) {
      const { stats, name: service } = cache;
      tell(reads, service, 'outcome', {
        hit: stats.hits - stats.staleHits,
        stale: stats.staleHits,
        miss: stats.misses,
        shared: stats.waits,
      });
      tell(operations, service, 'operation', {
        near_hit: stats.nearHits,
        store: stats.stored,
        remove: stats.removed,
        load: stats.loads,
        load_failure: stats.loadFailures,
        purge_tag: stats.purgedTags,
      });
    }
  });
}

function tell<L extends string>(
  counter: Counter<'service' | L>,
  service: string,
  label: L,
  counts: Readonly<Record<string, number>>,
): void {
  for (const [value, count] of Object.entries(counts))
    counter.inc({ service, [label]: value } as Record<'service' | L, string>, count);
}
