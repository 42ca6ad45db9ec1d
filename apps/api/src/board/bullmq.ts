/** This file owns the meeting with BullMQ: its queues as Bull Board wants them, over a connection that is already there. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { Queue, QueueKeys, RedisConnection, RedisQueueBackend } from 'bullmq';

export type { FlowProducer, Job, JobNode, JobType, Queue } from 'bullmq';

/**
 * BullMQ's queues over one client. A queue is an object without a connection or a listener of its own, so that one which
 * is no longer wanted is simply forgotten.
 */
export class BullQueues {
  readonly #keys: Keyspace;
  readonly #connection: RedisConnection;

  /** `client` has the `request` profile and stays the caller's; while Redis is away each command fails at once. */
  constructor(options: { client: RedisClient; keys: Keyspace }) {
    this.#keys = options.keys;
    this.#connection = new RedisConnection(options.client, {
      shared: true,
      blocking: false,
      skipVersionCheck: true,
      skipWaitingForReady: true,
    });
    // Outages are reported where the client was made.
    this.#connection.on('error', () => undefined);
  }

  /** `name` comes from the registry of queues. Writes nothing: not even BullMQ's own `meta`. */
  open(name: string): Queue {
    const prefix = this.#keys.queuePrefix(name);
    const names = new QueueKeys(prefix);
    // BullMQ's types want a connection; with a backend handed over only the prefix is read.
    const options = { connection: {}, prefix, skipMetasUpdate: true };
    const toKey = (type: string) => names.toKey(name, type);
    return new Queue(
      name,
      options,
      () =>
        new RedisQueueBackend(this.#connection, name, names.getKeys(name), toKey, options, undefined, false),
    );
  }
}

/** Whether BullMQ did not do what it was asked, since the job is not where it has to be: one of its `ErrorCode`. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number';
}
