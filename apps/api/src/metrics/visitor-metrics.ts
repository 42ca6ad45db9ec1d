/** This file owns what a scrape is told of those who stay: streams of channels, sessions. */
import type { Channels } from '@sluice/channel';
import type { Metrics } from '@sluice/runtime';
import type { SessionCounts } from '@sluice/session';

/** `sessionCounts` answers `undefined` until sessions are used here. */
export function registerVisitorMetrics({
  metrics,
  channels,
  sessionCounts,
}: {
  metrics: Metrics;
  channels: Channels;
  sessionCounts: () => SessionCounts | undefined;
}): void {
  const readers = metrics.gauge('sluice_channel_readers', 'Open streams of channels in this process');
  const sessions = metrics.counter('sluice_sessions_total', 'Sessions by what became of them', ['event']);
  metrics.beforeScrape(async () => {
    readers.set(channels.readers);
    sessions.reset();
    for (const [event, count] of Object.entries(sessionCounts() ?? { created: 0 }))
      sessions.inc({ event }, count);
  });
}
