/**
 * This file owns what is known of queues and Redis just now, and what was in the last hour: one look at a time, shared by
 * everybody who looks.
 *
 * How many jobs were done in each minute is told by the workers' own counts, and is whole. What waited, and what Redis
 * used, nobody counts: this process remembers it once a minute from when the console was first opened in it, an hour long.
 */
import type { Jobs, QueueView } from '@sluice/jobs';
import { type RedisFigures, readFigures } from '@sluice/redis';
import { type Clock, systemClock } from '@sluice/runtime';
import type { Connections } from '../connections.ts';
import { endpointsOf } from './redis-endpoints.ts';

export const LAST_MINUTES = 60;
/** How old a look may be that another is answered with. */
const FRESH_MS = 1_000;
const MINUTE_MS = 60_000;
/** Of Redis; the rest of a page's time is for the queues. */
const ASK_TIMEOUT_MS = 1_000;
/** Queues whose waiting jobs are remembered. */
const MAX_REMEMBERED_QUEUES = 200;
/** A rate is told from when it has been watched so long. */
const LEAST_WATCHED_MS = 10_000;

export interface RedisState {
  /** What it is for: `queue`, `cache`, `cache-orders` … */
  roles: readonly string[];
  isUp: boolean;
  /** `undefined` while it is away, or does not tell our user. */
  figures: RedisFigures | undefined;
}

export interface Look {
  /** Milliseconds since the epoch. */
  at: number;
  queues: readonly QueueView[];
  redis: readonly RedisState[];
}

/** One minute, as it began. */
interface Moment {
  at: number;
  /** By queue. */
  waiting: ReadonlyMap<string, number>;
  ended: ReadonlyMap<string, number>;
  redis: readonly RedisState[];
}

export interface PulseOptions {
  jobs: Pick<Jobs, 'queues'>;
  connections: Pick<Connections, 'requestClients'>;
  clock?: Clock;
}

export class Pulse {
  readonly #jobs: PulseOptions['jobs'];
  readonly #connections: PulseOptions['connections'];
  readonly #clock: Clock;
  readonly #moments: Moment[] = [];
  #looking: Promise<Look> | undefined;
  #last: Look | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ jobs, connections, clock = systemClock }: PulseOptions) {
    this.#jobs = jobs;
    this.#connections = connections;
    this.#clock = clock;
  }

  /** Remembers a minute at a time until `stopping` aborts. */
  start(stopping: AbortSignal): void {
    void this.remember();
    this.#timer = setInterval(() => void this.remember(), MINUTE_MS).unref();
    stopping.addEventListener('abort', () => clearInterval(this.#timer), { once: true });
  }

  /** Takes this minute down; one that nobody could look at stays empty. Never rejects. */
  async remember(): Promise<void> {
    const look = await this.look().catch(() => undefined);
    if (!look) return;
    const { at, queues, redis } = look;
    const kept = queues.slice(0, MAX_REMEMBERED_QUEUES);
    this.#moments.push({
      at,
      redis,
      waiting: new Map(kept.map((queue) => [queue.name, openJobs(queue)])),
      ended: new Map(kept.map((queue) => [queue.name, endedJobs(queue)])),
    });
    if (this.#moments.length > LAST_MINUTES) this.#moments.shift();
  }

  /** At most a second old. Rejects as ioredis does when the queue's Redis is away. */
  async look(): Promise<Look> {
    if (this.#last && this.#clock.now() - this.#last.at < FRESH_MS) return this.#last;
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = undefined;
    });
    return await this.#looking;
  }

  /** What was remembered, the oldest first; at most `LAST_MINUTES`. */
  get moments(): readonly Moment[] {
    return this.#moments;
  }

  /**
   * Jobs a minute that came in, of the last five: those that ended since, and those that are open more than before. `null`
   * until it has been watched long enough. Jobs that were removed without an end count as not come.
   */
  inPerMinute(queue: QueueView): number | null {
    const now = this.#clock.now();
    const before = this.#moments.findLast(({ at }) => now - at >= LEAST_WATCHED_MS);
    const first = this.#moments.findLast(({ at }) => now - at >= 5 * MINUTE_MS) ?? before;
    if (!first) return null;
    // Of more queues than are remembered nothing is told of the rest; one that is new had nothing before.
    if (first.waiting.size >= MAX_REMEMBERED_QUEUES && !first.waiting.has(queue.name)) return null;
    const minutes = (now - first.at) / MINUTE_MS;
    const came = (now: number, then: ReadonlyMap<string, number>) => now - (then.get(queue.name) ?? 0);
    return Math.max(
      0,
      (came(openJobs(queue), first.waiting) + came(endedJobs(queue), first.ended)) / minutes,
    );
  }

  async #lookNow(): Promise<Look> {
    const endpoints = endpointsOf(this.#connections.requestClients());
    const [queues, redis] = await Promise.all([
      this.#jobs.queues(),
      Promise.all(
        endpoints.map(async ({ roles, client }): Promise<RedisState> => {
          return { roles, ...(await readFigures(client, ASK_TIMEOUT_MS)) };
        }),
      ),
    ]);
    this.#last = { at: this.#clock.now(), queues, redis };
    return this.#last;
  }
}

/** Jobs that are not finished. */
export function openJobs({ counts }: QueueView): number {
  return counts.waiting + counts.prioritized + counts.delayed + counts.active + counts['waiting-children'];
}

function endedJobs({ finished }: QueueView): number {
  return finished.completed + finished.failed;
}
