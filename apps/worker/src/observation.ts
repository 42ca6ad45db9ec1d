/** This file owns what is told of each attempt and of the workers: one log line, and the metrics of this process. */
import type { AttemptMiddleware, Outcome } from '@sluice/jobs';
import { AttemptMetrics } from '@sluice/jobs/metrics';
import type { WorkerHealth } from '@sluice/jobs/worker';
import type { Log, Metrics } from '@sluice/runtime';

/** `jobNames` are the only labels: names come from clients. */
export function observeAttempts({
  log,
  metrics,
  jobNames,
}: {
  log: Log;
  metrics: Metrics;
  jobNames: ReadonlySet<string>;
}): AttemptMiddleware {
  const attempts = new AttemptMetrics(metrics);
  return {
    after({ queue, name, jobId, attempt, waitedMs }, outcome, durationMs) {
      const job = jobNames.has(name) ? name : 'unknown';
      const code = codeOf(outcome);
      attempts.ended(queue, outcome.kind, code, job);
      // One that did not begin has neither run nor waited for the last time.
      if (outcome.kind !== 'postpone') {
        attempts.ran(queue, job, durationMs);
        if (waitedMs !== undefined) attempts.waited(queue, waitedMs);
      }
      const fields = {
        queue,
        job: name,
        jobId,
        attempt,
        outcome: outcome.kind,
        durationMs: Math.round(durationMs),
      };
      switch (outcome.kind) {
        case 'completed':
          return log.info(fields, 'attempt ended');
        case 'retry':
        case 'delay':
          return log.warn(
            { ...fields, code, error: outcome.error },
            'attempt failed, job will be tried again',
          );
        case 'fail':
          return log.error(
            { ...fields, code, reason: reasonOf(outcome), error: outcome.error },
            'job failed',
          );
        case 'postpone':
          return log.debug({ ...fields, delayMs: outcome.delayMs, reason: outcome.reason }, 'job postponed');
        case 'return':
          return log.info(fields, 'job returned to its queue');
        case 'lost':
          return log.warn(fields, 'job lost to another worker');
      }
    },
  };
}

/** Gauges of the queues served, read at each scrape. */
export function observeWorkers({
  metrics,
  health,
  unserved,
  isReachable,
}: {
  metrics: Metrics;
  health: () => WorkerHealth[];
  /** How many queues this process is to serve, and does not since it serves as many as it may. */
  unserved: () => number;
  isReachable: () => boolean;
}): void {
  metrics.gauge('sluice_redis_up', '1 while Redis answers', ['connection'], (gauge) => {
    gauge.set({ connection: 'queue' }, isReachable() ? 1 : 0);
  });
  metrics.gauge('sluice_worker_unserved_queues', 'Queues beyond WORKER_MAX_QUEUES', [], (gauge) => {
    gauge.set(unserved());
  });
  const gauges: [string, string, (worker: WorkerHealth) => number][] = [
    ['sluice_worker_running_attempts', 'Attempts running now', ({ running }) => running],
    ['sluice_worker_concurrency', 'Attempts that may run at the same time', ({ concurrency }) => concurrency],
    [
      'sluice_worker_last_fetch_age_seconds',
      'Time since Redis last answered a request for a job',
      ({ lastFetchAgeMs }) => lastFetchAgeMs / 1_000,
    ],
    [
      'sluice_worker_silent_seconds',
      'Time for which jobs have waited without a request for them',
      ({ silentMs }) => silentMs / 1_000,
    ],
    [
      'sluice_worker_rebuilds',
      'Times the worker was rebuilt since it took no jobs',
      ({ rebuilds }) => rebuilds,
    ],
  ];
  for (const [name, help, read] of gauges) {
    metrics.gauge(name, help, ['queue'], (gauge) => {
      gauge.reset();
      for (const worker of health()) gauge.set({ queue: worker.queue }, read(worker));
    });
  }
}

function codeOf(outcome: Outcome): string {
  return 'failure' in outcome ? outcome.failure.code : '';
}

/** A message of ours holds no payload; a processor's may, and is kept with the job instead. */
function reasonOf(outcome: Extract<Outcome, { kind: 'fail' }>): string | undefined {
  return outcome.failure.code === 'error' || outcome.failure.code === 'fatal'
    ? undefined
    : outcome.failure.message;
}
