/** This file owns the wiring of the worker, top to bottom: what is made, from what, and in which order it starts and stops. */
import { describeRedis, keyspace } from '@sluice/config';
import { DELIVERY_QUEUE } from '@sluice/delivery';
import { Catalog, knownQueues, registerQueue } from '@sluice/jobs';
import { JobWorker } from '@sluice/jobs/worker';
import { close, connect } from '@sluice/redis';
import { deriveSecret, type Log, loadMasterSecret, Metrics, type Service } from '@sluice/runtime';
import { DatasetMemory, observeWatches, RedisWatch, Registry, watchWarnings } from '@sluice/system';
import type { Tracing } from '@sluice/tracing';
import { Caches } from './caches.ts';
import type { WorkerConfig } from './config.ts';
import { Dispatch } from './deliveries/dispatch.ts';
import { EgressGuard } from './egress/guard.ts';
import { Fleet } from './fleet.ts';
import { HealthServer } from './health.ts';
import { observeAttempts, observeWorkers } from './observation.ts';
import { loadProcessors } from './own-processors.ts';
import { builtInJobs } from './processors/catalog.ts';
import { matchesQueue } from './queue-pattern.ts';

const VERSION = '0.1.0';

export interface WorkerApp {
  /** In the order of their start. */
  services: readonly Service[];
  /** Told at once when the process is to stop, before anything is stopped. */
  beginStopping: () => void;
}

/** Throws `ProcessorsError` and `TypeError` with a sentence for a person when the jobs cannot be used. */
export async function compose(config: WorkerConfig, log: Log): Promise<WorkerApp> {
  const { roles } = config;
  const redis = roles.redis.queue;
  const keys = keyspace(roles.prefix, { isCluster: redis.kind === 'cluster' });
  const metrics = new Metrics();
  const tracing = config.isTraced ? await openTracing() : undefined;
  const egress = new EgressGuard(config.egress);
  const own = config.processorsFolder === undefined ? [] : await loadProcessors(config.processorsFolder);
  const master = await loadMasterSecret({
    value: config.masterSecret?.reveal(),
    directory: config.dataDirectory,
  });
  const probe = connect({ config: redis, profile: 'request', name: 'worker', log });
  const registry = new Registry({ client: probe, keys, log });
  const caches = new Caches({
    services: config.services,
    registry,
    secrets: { secret: deriveSecret(master, 'system'), roles },
    prefix: roles.prefix,
    dataDirectory: config.dataDirectory,
    maxValueBytes: config.maxValueBytes,
    log,
  });
  const dispatch = new Dispatch({ redis, keys, probe, master, egress, log });
  const catalog = new Catalog([...builtInJobs({ egress, caches, delivery: dispatch.job }), ...own]);
  log.info({ jobs: catalog.names(), queues: config.queues }, 'jobs known');

  const observer = observeAttempts({ log, metrics, jobNames: new Set(catalog.names()) });
  const fleet = new Fleet({
    patterns: config.queues,
    maxQueues: config.maxQueues,
    stopDeadlineMs: config.shutdownDeadlineMs,
    log,
    // Deliveries are waited for before there is one, so that the first is as fast as the next.
    listQueues: async () => {
      const [known] = await Promise.all([knownQueues(probe, keys), dispatch.refresh()]);
      return [DELIVERY_QUEUE, ...known];
    },
    registerQueue: (queue) => registerQueue(probe, keys, queue),
    createWorker: (queue) =>
      new JobWorker({
        queue,
        redis,
        keys,
        catalog,
        entryFor: (name) => dispatch.entryFor(catalog, queue, name),
        probe,
        log,
        concurrency: config.concurrency.find(({ pattern }) => matchesQueue(pattern, queue))?.attempts,
        rate: config.rates.find(({ pattern }) => matchesQueue(pattern, queue)),
        attemptTimeoutMs: config.attemptTimeoutMs,
        middleware: [observer, dispatch.middleware],
        tracing,
      }),
  });
  observeWorkers({
    metrics,
    health: () => fleet.health(),
    unserved: () => fleet.unserved.length,
    isReachable: () => fleet.isReachable,
  });
  const watch = new RedisWatch({
    role: 'queue',
    client: probe,
    keys,
    target: `${describeRedis(redis)} ${roles.prefix}`,
    memory: new DatasetMemory({ directory: config.dataDirectory, role: 'queue' }),
    log,
  });
  observeWatches(metrics, [watch]);
  const health = new HealthServer({
    ...config.health,
    workers: () => fleet.health(),
    unserved: () => fleet.unserved,
    isReachable: () => fleet.isReachable,
    warnings: () => watchWarnings([watch]),
    metrics,
    log,
  });
  const outside: Service = {
    name: 'outside',
    stop: async () => void (await Promise.all([egress.close(), close(probe)])),
  };
  // Health goes down last, so that a stopping worker can still be asked.
  return {
    services: [...(tracing ? [tracing] : []), health, outside, watch, dispatch, caches, registry, fleet],
    beginStopping: () => health.beginStopping(),
  };
}

/** Nothing of it is loaded by a worker that is not traced. */
async function openTracing(): Promise<Tracing> {
  const { Tracing } = await import('@sluice/tracing');
  return new Tracing({ name: 'sluice-worker', version: VERSION });
}
