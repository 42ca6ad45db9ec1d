/** This file owns which master of a Cluster has a key, as far as a client knows. */
import { Cluster, Command } from 'ioredis';
import type { RedisClient } from './connect.ts';

/**
 * `host:port` of the master whose slot it is; `undefined` while that is not known, and where there is only one Redis. A
 * client learns of a slot that moved when it is refused or asks anew, every few seconds.
 */
export function masterOf(client: RedisClient, key: string): string | undefined {
  if (!(client instanceof Cluster)) return undefined;
  const slot = new Command('exists', [key]).getSlot();
  return slot === null ? undefined : client.slots[slot]?.[0];
}
