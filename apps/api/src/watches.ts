/** This file owns what the API keeps an eye on beside its requests: the data and the clock of each Redis that must not lose any, and schedulers that have stopped. */
import { describeRedis, type Keyspace, type Role } from '@sluice/config';
import type { Jobs } from '@sluice/jobs';
import type { Log, Metrics, Service } from '@sluice/runtime';
import { DatasetMemory, observeWatches, RedisWatch, watchWarnings } from '@sluice/system';
import type { ApiConfig } from './config.ts';
import type { Connections } from './connections.ts';

export type Warning = ReturnType<typeof watchWarnings>[number] | 'schedulers_stopped';

export interface Watches {
  services: readonly Service[];
  /** What an operator should look at; empty when all is well. */
  warnings: () => Warning[];
}

export function createWatches(options: {
  config: ApiConfig;
  connections: Connections;
  keys: Keyspace;
  jobs: Jobs;
  metrics: Metrics;
  log: Log;
}): Watches {
  const { config, connections, keys, jobs, metrics, log } = options;
  // Caches, limits and channels are emptied on purpose, and fill again.
  const roles: Role[] = config.roles.sessionDriver === 'redis' ? ['queue', 'session'] : ['queue'];
  const watches = roles.map(
    (role) =>
      new RedisWatch({
        role,
        client: connections.role(role),
        keys,
        target: `${describeRedis(config.roles.redis[role])} ${config.roles.prefix}`,
        memory: new DatasetMemory({ directory: config.dataDirectory, role }),
        log,
      }),
  );
  observeWatches(metrics, watches);
  const audit = auditService(jobs, metrics, log);
  return {
    services: [...watches, audit],
    warnings: () => [
      ...watchWarnings(watches),
      ...(jobs.schedulerAudit.stopped > 0 ? (['schedulers_stopped'] as const) : []),
    ],
  };
}

function auditService({ schedulerAudit }: Jobs, metrics: Metrics, log: Log): Service {
  const rearmed = metrics.counter(
    'sluice_schedulers_rearmed_total',
    'Schedulers that had lost their next job and were given another',
  );
  metrics.gauge(
    'sluice_schedulers_stopped',
    'Schedulers found without a next job that could not be given another',
    [],
    (gauge) => gauge.set(schedulerAudit.stopped),
  );
  return {
    name: 'scheduler audit',
    start: () =>
      schedulerAudit.start({
        onRearmed: ({ queue, id }) => {
          rearmed.inc();
          log.warn({ queue, scheduler: id }, 'scheduler had stopped, armed again');
        },
        onFailed: ({ queue, id }, error) =>
          log.error({ queue, scheduler: id, error }, 'scheduler has stopped and cannot be armed'),
      }),
    stop: () => schedulerAudit.stop(),
  };
}
