/**
 * This file owns the names of channels in Redis.
 *
 * | name | what | removed by |
 * |---|---|---|
 * | `{prefix}:channel:{<channel>}:log` | stream of the messages that were published to be kept | its TTL, renewed by each such message; trimmed to the count asked for |
 * | `{prefix}:channel:{<channel>}@<database>` | Pub/Sub channel, no key; sharded in a Cluster | nothing: it is stored nowhere |
 */
import type { Keyspace } from '@sluice/config';

export interface ChannelKeys {
  log(channel: string): string;
  /** Pub/Sub knows no databases: the number keeps two of them under one prefix apart. */
  topic(channel: string): string;
}

export function channelKeys(keys: Keyspace, database: number): ChannelKeys {
  const root = keys.root('channel');
  return {
    log: (channel) => `${root}:{${channel}}:log`,
    topic: (channel) => `${root}:{${channel}}@${database}`,
  };
}
