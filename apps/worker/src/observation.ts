/** This file owns what is told of each attempt and of the workers: one log line, and the metrics of this process. */
import type { AttemptMiddleware, Outcome } from '@sluice/jobs';
import type { WorkerHealth } from '@sluice/jobs/worker';
import { LATENCY_BUCKETS_SECONDS, type Log, type Metrics } from '@sluice/runtime';

/** Jobs run longer than requests. */
const ATTEMPT_BUCKETS_SECONDS = [...LATENCY_BUCKETS_SECONDS, 60, 300, 1_800];

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
  const attempts = metrics.counter('sluice_job_attempts_total', 'Ended attempts by outcome', [
    'queue',
    'job',
    'outcome',
    'code',
  ]);
  const durations = metrics.histogram(
    'sluice_job_attempt_duration_seconds',
    'Time of an attempt',
    ['queue', 'job'],
    ATTEMPT_BUCKETS_SECONDS,
  );
  // prom-client finds a label set by hashing it; the few sets there are, are kept.
  const attemptsOf = keptBy((queue, job, outcome, code) => attempts.labels(queue, job, outcome, code));
  const durationsOf = keptBy((queue, job) => durations.labels(queue, job));
  return {
    after({ queue, name, jobId, attempt }, outcome, durationMs) {
      const job = jobNames.has(name) ? name : 'unknown';
      const code = codeOf(outcome);
      attemptsOf(queue, job, outcome.kind, code).inc();
      durationsOf(queue, job).observe(durationMs / 1_000);
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

/** The same answer for the same texts. */
function keptBy<T, P extends string[]>(make: (...texts: P) => T): (...texts: P) => T {
  const kept = new Map<string, T>();
  return (...texts) => {
    const key = texts.join('\n');
    let found = kept.get(key);
    if (found === undefined) {
      found = make(...texts);
      kept.set(key, found);
    }
    return found;
  };
}

/** Gauges of the queues served, read at each scrape. */
export function observeWorkers({
  metrics,
  health,
}: {
  metrics: Metrics;
  health: () => WorkerHealth[];
}): void {
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
