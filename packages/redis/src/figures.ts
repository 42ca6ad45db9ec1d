/** This file owns the figures of a Redis that operators watch: the published page's, persistence and replication, from one INFO. */
import { within } from '@sluice/runtime';
import type { RedisClient } from './connect.ts';
import { redisFault } from './fault.ts';
import { mastersOf } from './scan.ts';

/** Of all masters of a Cluster together: sums, the worst share, the worst state. Counts begin when Redis does. */
export interface RedisFigures {
  usedMemoryBytes: number;
  /** 0: no bound. */
  maxMemoryBytes: number;
  /** Of the fullest master, 0 to 1 and somewhat above; `null` without a bound. */
  memoryUse: number | null;
  /** `noeviction`, `allkeys-lru` …; `''` when it is not told. */
  evictionPolicy: string;
  connectedClients: number;
  /** 0: not told, as by a Redis before 7. */
  maxClients: number;
  /** Of the master with the least room, 0 to 1; `null` when its bound is not told. */
  clientUse: number | null;
  rejectedConnections: number;
  keyspaceHits: number;
  keyspaceMisses: number;
  /** Of all reads, 0 to 1; `null` before the first. */
  hitRatio: number | null;
  evictedKeys: number;
  expiredKeys: number;
  /** Every master writes an append-only file. */
  isAofOn: boolean;
  /** The last write of it, and the last snapshot, came to be. */
  isAofWritten: boolean;
  isSnapshotWritten: boolean;
  /** Epoch seconds, of the oldest. */
  lastSnapshotAtSeconds: number;
  changesSinceSnapshot: number;
  connectedReplicas: number;
  /** We speak to a replica: it refuses writes. */
  isReplica: boolean;
  /** False for a replica that has lost its master. */
  isLinkUp: boolean;
  /** Of the youngest. */
  uptimeSeconds: number;
}

/** `figures` is `undefined` when Redis is away, or up and does not let our user ask. */
export interface RedisReport {
  isUp: boolean;
  figures: RedisFigures | undefined;
}

/** One INFO to each master, all at once, within `timeoutMs`, default 1 s. Never rejects. */
export async function readFigures(client: RedisClient, timeoutMs = 1_000): Promise<RedisReport> {
  try {
    return { isUp: true, figures: await within(redisFigures(client), timeoutMs) };
  } catch (error) {
    return { isUp: redisFault(error)?.kind === 'auth', figures: undefined };
  }
}

/** Rejects as ioredis does. */
export async function redisFigures(client: RedisClient): Promise<RedisFigures> {
  return figuresOf(await Promise.all(mastersOf(client).map(async (node) => parse(await node.info()))));
}

type Info = ReadonlyMap<string, string>;

function parse(text: string): Info {
  return new Map(
    [...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, field, value]) => [field, value] as [string, string]),
  );
}

function figuresOf(nodes: readonly Info[]): RedisFigures {
  const numbers = (field: string) => nodes.map((node) => Number(node.get(field) ?? 0) || 0);
  const sum = (field: string) => numbers(field).reduce((total, each) => total + each, 0);
  const every = (field: string, good: string) => nodes.every((node) => (node.get(field) ?? good) === good);
  const worstShare = (part: string, whole: string): number | null => {
    const shares = nodes.flatMap((node) => {
      const most = Number(node.get(whole) ?? 0);
      return most > 0 ? [Number(node.get(part) ?? 0) / most] : [];
    });
    return shares.length === 0 ? null : Math.max(...shares);
  };
  const hits = sum('keyspace_hits');
  const misses = sum('keyspace_misses');
  return {
    usedMemoryBytes: sum('used_memory'),
    maxMemoryBytes: sum('maxmemory'),
    memoryUse: worstShare('used_memory', 'maxmemory'),
    evictionPolicy: nodes[0]?.get('maxmemory_policy') ?? '',
    connectedClients: sum('connected_clients'),
    maxClients: sum('maxclients'),
    clientUse: worstShare('connected_clients', 'maxclients'),
    rejectedConnections: sum('rejected_connections'),
    keyspaceHits: hits,
    keyspaceMisses: misses,
    hitRatio: hits + misses === 0 ? null : hits / (hits + misses),
    evictedKeys: sum('evicted_keys'),
    expiredKeys: sum('expired_keys'),
    isAofOn: nodes.every((node) => node.get('aof_enabled') === '1'),
    isAofWritten: every('aof_last_write_status', 'ok'),
    isSnapshotWritten: every('rdb_last_bgsave_status', 'ok'),
    lastSnapshotAtSeconds: Math.min(...numbers('rdb_last_save_time')),
    changesSinceSnapshot: sum('rdb_changes_since_last_save'),
    connectedReplicas: sum('connected_slaves'),
    isReplica: nodes.some((node) => node.get('role') === 'slave'),
    isLinkUp: every('master_link_status', 'up'),
    uptimeSeconds: Math.min(...numbers('uptime_in_seconds')),
  };
}
