/** This file owns a queue's settings: whether it hands out jobs, and how many. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { check } from './data.ts';
import { type Queues, registerQueue } from './queues.ts';
import { type QueueLimitsPatch, queueLimitsSchema } from './schemas.ts';
import { setLimits } from './scripts.ts';

export interface QueueSettingsOptions {
  client: RedisClient;
  keys: Keyspace;
  queues: Queues;
}

export class QueueSettings {
  readonly #options: QueueSettingsOptions;

  constructor(options: QueueSettingsOptions) {
    this.#options = options;
  }

  /** Jobs that run go on; none is handed out. A queue may be paused before its first job. */
  async pause(name: string): Promise<void> {
    const queue = await this.#known(name);
    await (await queue.backend()).pause(true);
  }

  async resume(name: string): Promise<void> {
    const queue = await this.#known(name);
    await (await queue.backend()).pause(false);
  }

  /** BullMQ's names: `max` jobs in `duration` milliseconds. */
  async limit(name: string, patch: QueueLimitsPatch): Promise<void> {
    const { concurrency, rate } = check(queueLimitsSchema, patch, []);
    const { keys } = await this.#known(name);
    const settings: (string | number)[] = [];
    if (concurrency !== undefined) settings.push('concurrency', concurrency ?? '');
    if (rate !== undefined) settings.push('max', rate?.max ?? '', 'duration', rate?.duration ?? '');
    if (settings.length > 0)
      await setLimits.run(this.#options.client, { keys, args: {}, moreArgs: settings });
  }

  async #known(name: string) {
    const { client, keys, queues } = this.#options;
    const queue = queues.open(name);
    await registerQueue(client, keys, name);
    return queue;
  }
}
