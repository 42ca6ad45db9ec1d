/** This file owns what a scrape is told of queues: jobs by state, age, workers, what has ended, from one look at all of them. */
import type { Jobs } from '@sluice/jobs';
import { type Metrics, within } from '@sluice/runtime';

const ASK_TIMEOUT_MS = 1_000;
/** Series a queue makes are bounded by the first so many names; the rest is for a scrape of one's own. */
const MAX_QUEUES = 500;

/** Redis away: the scrape is told nothing of queues. */
export function registerQueueMetrics({ metrics, jobs }: { metrics: Metrics; jobs: Jobs }): void {
  const byState = metrics.gauge('sluice_jobs', 'Jobs by queue and state', ['queue', 'state']);
  const oldest = metrics.gauge('sluice_queue_oldest_waiting_seconds', 'Age of the job that waits longest', [
    'queue',
  ]);
  const paused = metrics.gauge('sluice_queue_paused', '1 while the queue is held', ['queue']);
  const workers = metrics.gauge('sluice_queue_workers', 'Workers connected to the queue', ['queue']);
  const finished = metrics.counter('sluice_queue_finished_total', 'Jobs that ended, on whichever worker', [
    'queue',
    'state',
  ]);
  const stalled = metrics.counter(
    'sluice_queue_stalled_total',
    'Jobs lost by their worker and handed out again',
    ['queue'],
  );
  const waits = metrics.gauge(
    'sluice_lease_waits',
    'Requests for leases that wait for a job in this process',
  );
  metrics.beforeScrape(async () => {
    waits.set(jobs.leases.waiting);
    const queues = await within(jobs.queues({ limit: MAX_QUEUES }), ASK_TIMEOUT_MS).catch(() => []);
    for (const each of [byState, oldest, paused, workers, finished, stalled]) each.reset();
    for (const view of queues) {
      const queue = view.name;
      for (const [state, count] of Object.entries(view.counts)) byState.set({ queue, state }, count);
      oldest.set({ queue }, (view.oldestWaitingMs ?? 0) / 1_000);
      paused.set({ queue }, view.isPaused ? 1 : 0);
      if (view.workers !== null) workers.set({ queue }, view.workers);
      for (const [state, count] of Object.entries(view.finished)) finished.inc({ queue, state }, count);
      stalled.inc({ queue }, view.stalled);
    }
  });
}
