/**
 * This file owns putting jobs that BullMQ placed by itself - retried, due, made by a scheduler or a flow - in line with
 * those of their groups. BullMQ hands them out before all others with a group, so the first that is begun is the sign
 * that more may follow it. Where only stock workers run they stay in front.
 */
import type { RedisClient } from '@sluice/redis';
import type { Job as BullJob } from 'bullmq';
import type { QueueKeys } from './keys.ts';
import type { StoredOptions } from './options.ts';
import { lineUp } from './scripts.ts';

/** What of a job tells who gave it its place. */
export type BegunJob = Pick<BullJob, 'opts' | 'attemptsStarted' | 'repeatJobKey' | 'parentKey'>;

/** In one call: about 3 ms of Redis' time. */
const MAX_LINED_UP = 500;

export class Line {
  readonly #client: RedisClient;
  readonly #keys: QueueKeys;
  #isTidying = false;

  constructor(client: RedisClient, keys: QueueKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** To be told of every job that is begun. */
  begun(job: BegunJob): void {
    if (this.#isTidying || !wasPlacedByBullMq(job)) return;
    this.#isTidying = true;
    void this.#tidy();
  }

  async #tidy(): Promise<void> {
    try {
      let moved: unknown = MAX_LINED_UP;
      while (moved === MAX_LINED_UP) {
        moved = await lineUp.run(this.#client, { keys: this.#keys, args: { limit: MAX_LINED_UP } });
      }
    } catch {
      // Redis is away: those jobs go first, until the next of them is begun.
    } finally {
      this.#isTidying = false;
    }
  }
}

function wasPlacedByBullMq({ opts, attemptsStarted, repeatJobKey, parentKey }: BegunJob): boolean {
  const { sluice, delay = 0 } = opts as StoredOptions;
  if (sluice?.group === undefined) return false;
  return attemptsStarted > 1 || delay > 0 || repeatJobKey !== undefined || parentKey !== undefined;
}
