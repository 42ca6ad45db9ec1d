/**
 * This file owns every Redis key of a cache service.
 *
 * | key | holds | goes when |
 * |---|---|---|
 * | `{prefix}:cache:{service}:{key}` | an entry: JSON text, or a frame (frame.ts) | its TTL ends, delete, flush; TTL 0 keeps it |
 * | `{prefix}:cache-lease:{service}:{key}` | who loads the entry, or that it is absent | its TTL ends, at most `MAX_LEASE_MS` |
 * | `{prefix}:cache-tag:{service}:{tag}` | the tag's generation | with the last entry that may bear it, or a purge |
 * | `{prefix}:cache-bus:{service}` | nothing: the channel of invalidations | — |
 *
 * A service name holds no colon, so services never nest.
 */
import type { Keyspace } from '@sluice/config';
import { slotOf, tagOfSlot } from './slot.ts';

export interface CacheKeys {
  readonly entryPrefix: string;
  readonly leasePrefix: string;
  readonly tagPrefix: string;
  readonly busChannel: string;
  /** In the entry's slot of a Cluster, for one script reads both. */
  lease(entryKey: string): string;
}

/** `entryPrefix` instead of the first row's root, to adopt keys that others wrote. */
export function cacheKeys(
  keyspace: Keyspace,
  service: string,
  options: { isCluster: boolean; entryPrefix: string | undefined },
): CacheKeys {
  const entryPrefix = options.entryPrefix ?? `${keyspace.root('cache')}:${service}:`;
  const leasePrefix = `${keyspace.root('cache-lease')}:${service}:`;
  return {
    entryPrefix,
    leasePrefix,
    tagPrefix: `${keyspace.root('cache-tag')}:${service}:`,
    busChannel: `${keyspace.root('cache-bus')}:${service}`,
    lease(entryKey) {
      const key = entryKey.slice(entryPrefix.length);
      return options.isCluster ? `${leasePrefix}{${tagOfSlot(slotOf(entryKey))}}${key}` : leasePrefix + key;
    },
  };
}
