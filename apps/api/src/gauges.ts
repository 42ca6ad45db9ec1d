/** This file owns what a scrape asks for: jobs by state, and each Redis by the figures the published page watches. */
import type { Channels } from '@sluice/channel';
import type { Jobs } from '@sluice/jobs';
import { type RedisClient, redisFault } from '@sluice/redis';
import { type Gauge, type Metrics, within } from '@sluice/runtime';
import type { CacheServices } from './cache-services.ts';
import type { Connections } from './connections.ts';

/** A scrape has its own timeout, ten seconds as a rule; Redis gets a second of it. */
const ASK_TIMEOUT_MS = 1_000;
/** Series a queue makes are bounded by the first so many names; the rest is for a scrape of one's own. */
const MAX_QUEUES = 500;

/** Field of INFO to gauge; the first four are the published page's, with its thresholds in the alert rules. */
const INFO_FIELDS = {
  used_memory: ['sluice_redis_used_memory_bytes', 'Memory Redis uses'],
  maxmemory: ['sluice_redis_maxmemory_bytes', 'Memory Redis may use; 0 without a bound'],
  connected_clients: ['sluice_redis_connected_clients', 'Connections to Redis'],
  maxclients: ['sluice_redis_maxclients', 'Connections Redis allows'],
  keyspace_hits: ['sluice_redis_keyspace_hits', 'Reads that found a key, since Redis started'],
  keyspace_misses: ['sluice_redis_keyspace_misses', 'Reads that found none, since Redis started'],
  evicted_keys: ['sluice_redis_evicted_keys', 'Keys Redis dropped for want of memory, since it started'],
  rejected_connections: ['sluice_redis_rejected_connections', 'Connections refused, since Redis started'],
} as const;

/** Registers the gauges. None of them fails or holds up a scrape: of a Redis that is away only `sluice_redis_up` tells, with 0. */
export function registerGauges(services: {
  metrics: Metrics;
  jobs: Jobs;
  connections: Connections;
  channels: Channels;
  cacheServices: CacheServices;
}): void {
  const { metrics, jobs, connections, channels, cacheServices } = services;
  const readers = metrics.gauge('sluice_channel_readers', 'Open streams of channels in this process');
  metrics.beforeScrape(async () => readers.set(channels.readers));
  const waits = metrics.gauge(
    'sluice_lease_waits',
    'Requests for leases that wait for a job in this process',
  );
  metrics.beforeScrape(async () => waits.set(jobs.leases.waiting));
  const cached = metrics.gauge('sluice_cache_events', 'What cache services did, since this process began', [
    'service',
    'event',
  ]);
  metrics.beforeScrape(async () => {
    cached.reset();
    for (const { cache } of cacheServices.all()) {
      for (const [event, count] of Object.entries(cache.stats))
        cached.set({ service: cache.name, event }, count);
    }
  });
  const oldest = metrics.gauge('sluice_queue_oldest_waiting_seconds', 'Age of the job that waits longest', [
    'queue',
  ]);
  const paused = metrics.gauge('sluice_queue_paused', '1 while the queue is held', ['queue']);
  const byState = metrics.gauge('sluice_jobs', 'Jobs by queue and state', ['queue', 'state']);
  metrics.beforeScrape(async () => {
    for (const each of [byState, oldest, paused]) each.reset();
    const queues = await within(jobs.queues(), ASK_TIMEOUT_MS).catch(() => []);
    for (const { name: queue, counts, oldestWaitingMs, isPaused } of queues.slice(0, MAX_QUEUES)) {
      for (const [state, count] of Object.entries(counts)) byState.set({ queue, state }, count);
      oldest.set({ queue }, (oldestWaitingMs ?? 0) / 1_000);
      paused.set({ queue }, isPaused ? 1 : 0);
    }
  });

  const up = metrics.gauge('sluice_redis_up', '1 while Redis answers', ['connection']);
  const fields = Object.entries(INFO_FIELDS).map(([field, [name, help]]): [string, Gauge<'connection'>] => [
    field,
    metrics.gauge(name, help, ['connection']),
  ]);
  metrics.beforeScrape(async () => {
    up.reset();
    for (const [, gauge] of fields) gauge.reset();
    await Promise.all(
      connections.requestClients().map(async ({ name: connection, client }) => {
        const info = await readInfo(client);
        up.set({ connection }, info ? 1 : 0);
        for (const [field, gauge] of fields) {
          const value = info?.get(field);
          if (value !== undefined) gauge.set({ connection }, value);
        }
      }),
    );
  });
}

/** Numbers of INFO; `undefined` when Redis does not answer, empty when our user may not ask. */
async function readInfo(client: RedisClient): Promise<Map<string, number> | undefined> {
  try {
    const text = await within(client.info(), ASK_TIMEOUT_MS);
    return new Map(
      [...text.matchAll(/^(\w+):(\d+)\r?$/gm)].map(([, field, value]) => [field as string, Number(value)]),
    );
  } catch (error) {
    return redisFault(error)?.kind === 'auth' ? new Map() : undefined;
  }
}
