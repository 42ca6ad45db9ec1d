/** This file owns what Redis itself tells of a cache: hits and misses, memory, evictions, of the whole server. */
import { type RedisClient, type RedisFigures, redisFigures } from '@sluice/redis';

export type StoreFigures = Pick<
  RedisFigures,
  | 'usedMemoryBytes'
  | 'maxMemoryBytes'
  | 'evictedKeys'
  | 'expiredKeys'
  | 'keyspaceHits'
  | 'keyspaceMisses'
  | 'connectedClients'
>;

/** Added up over the masters of a Cluster. */
export async function storeFigures(client: RedisClient): Promise<StoreFigures> {
  const figures = await redisFigures(client);
  return {
    usedMemoryBytes: figures.usedMemoryBytes,
    maxMemoryBytes: figures.maxMemoryBytes,
    evictedKeys: figures.evictedKeys,
    expiredKeys: figures.expiredKeys,
    keyspaceHits: figures.keyspaceHits,
    keyspaceMisses: figures.keyspaceMisses,
    connectedClients: figures.connectedClients,
  };
}
