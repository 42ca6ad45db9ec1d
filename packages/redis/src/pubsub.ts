/**
 * This file owns publish and subscribe on every topology. In a Cluster both are sharded (SPUBLISH, SSUBSCRIBE, Redis 7):
 * a topic lives on the master of its hash slot, where a plain PUBLISH would go over the bus to every node. Elsewhere they
 * are plain, as there sharded ones have nothing to give.
 */
import { Cluster } from 'ioredis';
import type { RedisClient } from './connect.ts';

/** For scripts that publish: the topic lies in the slot of their keys then. */
export function publishCommand(client: RedisClient): 'PUBLISH' | 'SPUBLISH' {
  return client instanceof Cluster ? 'SPUBLISH' : 'PUBLISH';
}

/** Resolves when Redis has it; rejects as ioredis does. */
export async function publish(client: RedisClient, topic: string, message: string): Promise<void> {
  await (client instanceof Cluster ? client.spublish(topic, message) : client.publish(topic, message));
}

/** Resolves when everything published from now on is heard. `client` has the profile `subscriber`. */
export async function subscribe(client: RedisClient, topic: string): Promise<void> {
  await (client instanceof Cluster ? client.ssubscribe(topic) : client.subscribe(topic));
}

export async function unsubscribe(client: RedisClient, topic: string): Promise<void> {
  await (client instanceof Cluster ? client.sunsubscribe(topic) : client.unsubscribe(topic));
}

export interface Hearing {
  onMessage(topic: string, message: string): void;
  /**
   * A connection of subscriptions is gone, or has just been replaced: what was published meanwhile was not heard. The
   * client mends it and subscribes again. In a Cluster this may concern another topic's master than ours.
   */
  onInterruption(): void;
}

/** Tells what is heard until the answer is called. */
export function hear(client: RedisClient, { onMessage, onInterruption }: Hearing): () => void {
  // ioredis: a master's subscriber is taken away, or has taken over slots.
  const interruptions = client instanceof Cluster ? ['close', '-subscriber', 'subscribersReady'] : ['close'];
  const messages = client instanceof Cluster ? 'smessage' : 'message';
  client.on(messages, onMessage);
  for (const name of interruptions) client.on(name, onInterruption);
  return () => {
    client.off(messages, onMessage);
    for (const name of interruptions) client.off(name, onInterruption);
  };
}
