/** This file owns what a scrape is told of each Redis: the published page's figures, persistence, replication. */
import { type RedisFigures, type RedisReport, readFigures } from '@sluice/redis';
import type { Metrics } from '@sluice/runtime';
import type { Connections } from '../connections.ts';

/** A scrape has its own timeout, ten seconds as a rule; Redis gets a second of it. */
const ASK_TIMEOUT_MS = 1_000;

export interface ConnectionReport extends RedisReport {
  /** A role, or `cache-{service}` for a cache service with a Redis of its own. */
  connection: string;
}

/** Of every Redis that has callers waiting, all at once, within a second. Never rejects. */
export async function reportsOf(connections: Connections): Promise<ConnectionReport[]> {
  return await Promise.all(
    connections.requestClients().map(async ({ name: connection, client }) => ({
      connection,
      ...(await readFigures(client, ASK_TIMEOUT_MS)),
    })),
  );
}

type Read = (figures: RedisFigures) => number | null;
const flag = (isSo: boolean) => (isSo ? 1 : 0);

const GAUGES: readonly [name: string, help: string, read: Read][] = [
  ['sluice_redis_used_memory_bytes', 'Memory Redis uses', (f) => f.usedMemoryBytes],
  ['sluice_redis_maxmemory_bytes', 'Memory Redis may use; 0 without a bound', (f) => f.maxMemoryBytes],
  ['sluice_redis_memory_use_ratio', 'Share of its memory that the fullest master uses', (f) => f.memoryUse],
  ['sluice_redis_connected_clients', 'Connections to Redis', (f) => f.connectedClients],
  ['sluice_redis_maxclients', 'Connections Redis allows; 0 when it does not tell', (f) => f.maxClients],
  [
    'sluice_redis_client_use_ratio',
    'Share of its connections that the busiest master has',
    (f) => f.clientUse,
  ],
  ['sluice_redis_hit_ratio', 'Reads that found a key, of all since Redis started', (f) => f.hitRatio],
  ['sluice_redis_aof_enabled', '1 when every master writes an append-only file', (f) => flag(f.isAofOn)],
  ['sluice_redis_aof_last_write_ok', '1 when its last write came to be', (f) => flag(f.isAofWritten)],
  ['sluice_redis_rdb_last_save_ok', '1 when the last snapshot came to be', (f) => flag(f.isSnapshotWritten)],
  [
    'sluice_redis_rdb_last_save_timestamp_seconds',
    'When the oldest last snapshot was',
    (f) => f.lastSnapshotAtSeconds,
  ],
  ['sluice_redis_rdb_changes_since_save', 'Changes since the last snapshot', (f) => f.changesSinceSnapshot],
  ['sluice_redis_connected_replicas', 'Replicas that follow', (f) => f.connectedReplicas],
  ['sluice_redis_is_replica', '1 when we speak to a replica, which refuses writes', (f) => flag(f.isReplica)],
  ['sluice_redis_link_up', '0 for a replica that has lost its master', (f) => flag(f.isLinkUp)],
  ['sluice_redis_uptime_seconds', 'Since the youngest master started', (f) => f.uptimeSeconds],
];

const COUNTERS: readonly [name: string, help: string, read: (figures: RedisFigures) => number][] = [
  ['sluice_redis_keyspace_hits_total', 'Reads that found a key, since Redis started', (f) => f.keyspaceHits],
  [
    'sluice_redis_keyspace_misses_total',
    'Reads that found none, since Redis started',
    (f) => f.keyspaceMisses,
  ],
  [
    'sluice_redis_evicted_keys_total',
    'Keys dropped for want of memory, since Redis started',
    (f) => f.evictedKeys,
  ],
  ['sluice_redis_expired_keys_total', 'Keys whose time had come, since Redis started', (f) => f.expiredKeys],
  [
    'sluice_redis_rejected_connections_total',
    'Connections refused, since Redis started',
    (f) => f.rejectedConnections,
  ],
];

/** None of it fails or holds up a scrape: of a Redis that is away only `sluice_redis_up` tells, with 0. */
export function registerRedisMetrics({
  metrics,
  connections,
}: {
  metrics: Metrics;
  connections: Connections;
}): void {
  const up = metrics.gauge('sluice_redis_up', '1 while Redis answers', ['connection']);
  const gauges = GAUGES.map(([name, help, read]) => ({
    gauge: metrics.gauge(name, help, ['connection']),
    read,
  }));
  const counters = COUNTERS.map(([name, help, read]) => ({
    counter: metrics.counter(name, help, ['connection']),
    read,
  }));
  metrics.beforeScrape(async () => {
    const reports = await reportsOf(connections);
    up.reset();
    for (const { gauge } of gauges) gauge.reset();
    for (const { counter } of counters) counter.reset();
    for (const { connection, isUp, figures } of reports) {
      up.set({ connection }, flag(isUp));
      if (!figures) continue;
      for (const { gauge, read } of gauges) {
        const value = read(figures);
        if (value !== null) gauge.set({ connection }, value);
      }
      for (const { counter, read } of counters) counter.inc({ connection }, read(figures));
    }
  });
}
