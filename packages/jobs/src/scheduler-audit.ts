/**
 * This file owns schedulers that have stopped: BullMQ makes a scheduler's next job when the one before it begins, so one
 * that lost its job - removed by hand, drained, gone with a part of Redis' data - would never make another.
 *
 *   due for 10 s, and its job gone or ended -> armed again by its own definition, unless its limit or its end has been reached
 *
 * One process of all looks in each round, whichever comes first.
 */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import type { Clock } from '@sluice/runtime';
import { schedulerAuditKey } from './keys.ts';
import { knownQueues } from './queues.ts';
import type { Schedulers } from './schedulers.ts';

const CHECK_MS = 15_000;
/** The round of a process may begin so much early. */
const SLACK_MS = 1_000;
/** A job that is due is begun well within this, and its scheduler has its next one then. */
const LATE_MS = 10_000;
const SIDE_BY_SIDE = 16;
/** Of one queue in one round. */
const MAX_SCHEDULERS_A_QUEUE = 100;

export interface StoppedScheduler {
  queue: string;
  id: string;
}

export interface SchedulerAuditOptions {
  client: RedisClient;
  keys: Keyspace;
  schedulers: Schedulers;
  clock: Clock;
}

export interface SchedulerAuditEvents {
  onRearmed?: ((scheduler: StoppedScheduler) => void) | undefined;
  /** It stays stopped, and is tried again in the next round. */
  onFailed?: ((scheduler: StoppedScheduler, error: unknown) => void) | undefined;
}

export class SchedulerAudit {
  readonly #options: SchedulerAuditOptions;
  #events: SchedulerAuditEvents = {};
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<unknown> | undefined;
  #rearmed = 0;
  #stopped = 0;

  constructor(options: SchedulerAuditOptions) {
    this.#options = options;
  }

  /** Armed again by this process since it began. */
  get rearmed(): number {
    return this.#rearmed;
  }

  /** Found stopped by this process' last look and not armed: 0 when all is well, or another process looks. */
  get stopped(): number {
    return this.#stopped;
  }

  start(events: SchedulerAuditEvents = {}): void {
    this.#events = events;
    this.#timer ??= setInterval(() => {
      // Redis away: what has stopped is still so in the next round.
      this.#looking ??= this.look()
        .catch(() => undefined)
        .finally(() => {
          this.#looking = undefined;
        });
    }, CHECK_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** One round, unless somebody has just made it; answers how many were armed. Rejects as ioredis does. */
  async look(): Promise<number> {
    const { client, keys, schedulers, clock } = this.#options;
    this.#stopped = 0;
    const isOurs = await client.set(schedulerAuditKey(keys), '1', 'PX', CHECK_MS - SLACK_MS, 'NX');
    if (isOurs === null) return 0;
    const before = this.#rearmed;
    const queues = await knownQueues(client, keys);
    for (let at = 0; at < queues.length; at += SIDE_BY_SIDE) {
      const some = queues.slice(at, at + SIDE_BY_SIDE);
      await Promise.all(
        some.map(async (queue) => {
          const due = await schedulers.due(queue, clock.now() - LATE_MS, MAX_SCHEDULERS_A_QUEUE);
          for (const id of due) await this.#rearm({ queue, id });
        }),
      );
    }
    return this.#rearmed - before;
  }

  async #rearm(scheduler: StoppedScheduler): Promise<void> {
    try {
      if (!(await this.#options.schedulers.rearm(scheduler.queue, scheduler.id))) return;
      this.#rearmed += 1;
      this.#events.onRearmed?.(scheduler);
    } catch (error) {
      this.#stopped += 1;
      this.#events.onFailed?.(scheduler, error);
    }
  }
}
