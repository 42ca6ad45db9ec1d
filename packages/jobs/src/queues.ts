/** This file owns the queues of a process: each opened at its first use, the least used forgotten, their names registered in Redis. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { BatchingBackend } from './bullmq.ts';
import type { BullMqLoader } from './bullmq-loader.ts';
import { type QueueKeys, queueKeys, queueRegistry } from './keys.ts';
import { type Durability, type JobsErrorCode, queueNameSchema } from './schemas.ts';

/** A caller may name any number of queues; a process remembers this many. An open queue is an object, not a connection. */
const MAX_OPEN_QUEUES = 2_000;

export interface OpenQueue {
  readonly name: string;
  readonly keys: QueueKeys;
  /** BullMQ's own way to it, loaded at the first call. */
  backend(): Promise<BatchingBackend>;
  /** Whether this process has put its name into the registry since it opened it. */
  isRegistered: boolean;
  /** As Redis told it last; the insert checks it. */
  durability: Durability;
}

export class Queues {
  readonly #bullmq: BullMqLoader;
  readonly #keyspace: Keyspace;
  /** Least recently used first. */
  readonly #open = new Map<string, OpenQueue>();

  constructor(options: { bullmq: BullMqLoader; keys: Keyspace }) {
    this.#bullmq = options.bullmq;
    this.#keyspace = options.keys;
  }

  /** Throws `job_invalid` for what is no queue name. */
  open(name: string): OpenQueue {
    const known = this.#open.get(name);
    if (known) {
      this.#open.delete(name);
      this.#open.set(name, known);
      return known;
    }
    if (!queueNameSchema.safeParse(name).success) {
      throw new DomainError<JobsErrorCode>('job_invalid', 'a queue name is 1 to 64 letters, digits, - or _');
    }
    let backend: Promise<BatchingBackend> | undefined;
    const queue: OpenQueue = {
      name,
      keys: queueKeys(this.#keyspace, name),
      backend: () => {
        backend ??= this.#bullmq.queue(this.#keyspace.queuePrefix(name), name);
        return backend;
      },
      isRegistered: false,
      durability: 'memory',
    };
    this.#open.set(name, queue);
    if (this.#open.size > MAX_OPEN_QUEUES) this.#forgetOldest();
    return queue;
  }

  #forgetOldest(): void {
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#open.delete(oldest);
  }
}

/** Makes a queue known to consoles and to workers that serve whatever queue there is. Obliterating it takes its name out again. */
export async function registerQueue(client: RedisClient, keys: Keyspace, queue: string): Promise<void> {
  await client.sadd(queueRegistry(keys), queue);
}

/** Names of all queues that have been used, sorted. */
export async function knownQueues(client: RedisClient, keys: Keyspace): Promise<string[]> {
  return (await client.smembers(queueRegistry(keys))).sort();
}
