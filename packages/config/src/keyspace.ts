/** This file owns the roots under which each package keeps its keys; the keys themselves are born in each `keys.ts`. */

export interface Keyspace {
  readonly prefix: string;
  /** `{prefix}:{area}`: the root of one package's keys. Areas are words of ours, so roots never nest. */
  root(area: string): string;
  /**
   * BullMQ's own `prefix` for a queue. BullMQ splits keys at `:` and expects none inside its prefix. In a Cluster
   * each queue is one hash tag, so that all keys of a queue share a slot and queues spread over the masters.
   */
  queuePrefix(queue: string): string;
}

export function keyspace(prefix: string, options: { isCluster: boolean }): Keyspace {
  return {
    prefix,
    root: (area) => `${prefix}:${area}`,
    queuePrefix: (queue) => (options.isCluster ? `{${prefix}-queue.${queue}}` : `${prefix}-queue`),
  };
}
