/**
 * This file owns the Redis keys of deliveries.
 *
 * | key | holds | until |
 * |---|---|---|
 * | `{prefix}:delivery:endpoints` | hash: an endpoint's name to its record, secrets and headers sealed | the endpoint is removed |
 * | `{prefix}:delivery:targets` | hash: a queue to where its jobs are sent | the target is removed |
 * | `{prefix}:delivery:{<host>}:state` | hash: how a host has answered lately | 10 min without a request, 48 h while it is down |
 * | `{prefix}:delivery:{<host>}:places` | zset: requests under way by when they must have ended | the last of them must have ended |
 */
import { createHash } from 'node:crypto';
import type { Keyspace } from '@sluice/config';

export interface DeliveryKeys {
  readonly endpoints: string;
  readonly targets: string;
  /** `host` with its port. By its hash: a host's name may hold braces. */
  host(host: string): { state: string; places: string };
}

export function deliveryKeys(keys: Keyspace): DeliveryKeys {
  const root = keys.root('delivery');
  return {
    endpoints: `${root}:endpoints`,
    targets: `${root}:targets`,
    host(host) {
      const own = `${root}:{${createHash('sha256').update(host).digest('base64url').slice(0, 22)}}`;
      return { state: `${own}:state`, places: `${own}:places` };
    },
  };
}
