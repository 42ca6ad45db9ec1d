/** This file owns a queue's settings: whether it hands out jobs, and how many. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { check } from './data.ts';
import { type Queues, registerQueue } from './queues.ts';
import { type QueueLimitsPatch, queueLimitsSchema } from './schemas.ts';
import { setLimits } from './scripts.ts';

/** In BullMQ's hash of a queue's settings, beside its own. */
export const GROUP_LIMIT_FIELDS = ['group.concurrency', 'group.max', 'group.duration'] as const;

/** Of each group of a queue; `null`: no bound. */
export interface GroupLimits {
  concurrency: number | null;
  rate: { max: number; durationMs: number } | null;
}

/** The values of `GROUP_LIMIT_FIELDS`; `undefined` when nothing is bounded. */
export function readGroupLimits(values: readonly (string | null)[]): GroupLimits | undefined {
  const [concurrency = null, max = null, duration = null] = values;
  if (concurrency === null && max === null) return undefined;
  return {
    concurrency: concurrency === null ? null : Number(concurrency),
    rate: max === null || duration === null ? null : { max: Number(max), durationMs: Number(duration) },
  };
}

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
    const { concurrency, rate, group } = check(queueLimitsSchema, patch, []);
    const { keys } = await this.#known(name);
    const settings: (string | number)[] = [];
    if (concurrency !== undefined) settings.push('concurrency', concurrency ?? '');
    if (rate !== undefined) settings.push('max', rate?.max ?? '', 'duration', rate?.duration ?? '');
    if (group !== undefined) {
      const values = [group?.concurrency, group?.rate?.max, group?.rate?.duration];
      for (const [index, field] of GROUP_LIMIT_FIELDS.entries()) settings.push(field, values[index] ?? '');
    }
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
