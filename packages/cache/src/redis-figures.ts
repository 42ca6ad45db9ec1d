/** This file owns what Redis itself tells of a cache: hits and misses, memory, evictions, of the whole server. */
import { mastersOf, type RedisClient } from '@sluice/redis';

export interface StoreFigures {
  usedMemoryBytes: number;
  /** 0: no bound. */
  maxMemoryBytes: number;
  evictedKeys: number;
  expiredKeys: number;
  keyspaceHits: number;
  keyspaceMisses: number;
  connectedClients: number;
}

const FIELDS = {
  usedMemoryBytes: 'used_memory',
  maxMemoryBytes: 'maxmemory',
  evictedKeys: 'evicted_keys',
  expiredKeys: 'expired_keys',
  keyspaceHits: 'keyspace_hits',
  keyspaceMisses: 'keyspace_misses',
  connectedClients: 'connected_clients',
} as const satisfies Record<keyof StoreFigures, string>;

/** Added up over the masters of a Cluster. */
export async function storeFigures(client: RedisClient): Promise<StoreFigures> {
  const infos = await Promise.all(mastersOf(client).map((node) => node.info()));
  const sum = (field: string) =>
    infos.reduce(
      (total, info) => total + Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0),
      0,
    );
  return Object.fromEntries(
    Object.entries(FIELDS).map(([name, field]) => [name, sum(field)]),
  ) as unknown as StoreFigures;
}
