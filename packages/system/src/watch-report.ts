/** This file owns how what the watches saw is told: metrics, and words for a readiness answer. */
import type { Metrics } from '@sluice/runtime';
import { CLOCK_SKEW_LIMIT_MS, type RedisWatch } from './redis-watch.ts';

/** Closed list: what a process warns of. */
export type WatchWarning = 'data_loss_suspected' | 'clock_skew';

export function watchWarnings(watches: readonly RedisWatch[]): WatchWarning[] {
  const reports = watches.map((watch) => watch.report());
  const isLost = reports.some(({ dataset }) => dataset === 'lost' || dataset === 'replaced');
  const isSkewed = reports.some(({ skewMs }) => Math.abs(skewMs ?? 0) > CLOCK_SKEW_LIMIT_MS);
  return [...(isLost ? ['data_loss_suspected' as const] : []), ...(isSkewed ? ['clock_skew' as const] : [])];
}

export function observeWatches(metrics: Metrics, watches: readonly RedisWatch[]): void {
  metrics.gauge(
    'sluice_data_loss_suspected',
    '1 while Redis lacks the data it had, until it is back or acknowledged',
    ['role'],
    (gauge) => {
      for (const { role, dataset } of watches.map((watch) => watch.report()))
        if (dataset !== 'unknown') gauge.set({ role }, dataset === 'known' ? 0 : 1);
    },
  );
  metrics.gauge(
    'sluice_redis_clock_skew_seconds',
    'How far the clock of Redis is ahead of this process',
    ['role'],
    (gauge) => {
      for (const { role, skewMs } of watches.map((watch) => watch.report()))
        if (skewMs !== null) gauge.set({ role }, skewMs / 1_000);
    },
  );
}
