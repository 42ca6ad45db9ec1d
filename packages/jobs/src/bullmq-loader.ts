/**
 * This file owns when BullMQ is loaded: at the first call that needs it. Enqueueing, reading and waiting go by scripts of
 * our own, and a process that does no more starts without BullMQ's 300 files.
 */
import type { RedisClient } from '@sluice/redis';
import type { BatchingBackend, BullConnection } from './bullmq.ts';

export class BullMqLoader {
  readonly #client: RedisClient;
  #connection: Promise<BullConnection> | undefined;

  /** `client` as for `BullConnection`. */
  constructor(client: RedisClient) {
    this.#client = client;
  }

  async queue(prefix: string, queue: string): Promise<BatchingBackend> {
    this.#connection ??= import('./bullmq.ts').then(({ BullConnection }) => new BullConnection(this.#client));
    return (await this.#connection).queue(prefix, queue);
  }

  async close(): Promise<void> {
    await (await this.#connection)?.close();
  }
}
