/** This file owns the count of workers: BullMQ names the connection a worker waits on after its queue, and Redis lists connections. */
import { mastersOf, type RedisClient } from '@sluice/redis';
import type { Clock } from '@sluice/runtime';

/** Listing costs Redis about 1 ms per thousand connections. */
const FRESH_MS = 2_000;

export class WorkerCensus {
  readonly #client: RedisClient;
  readonly #clock: Clock;
  #counting: Promise<ReadonlyMap<string, number> | undefined> | undefined;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(options: { client: RedisClient; clock: Clock }) {
    this.#client = options.client;
    this.#clock = options.clock;
  }

  /** Workers that wait on this queue or run its jobs, BullMQ's and ours, at most 2 s ago. `null`: Redis does not tell. */
  async count(queuePrefix: string, queue: string): Promise<number | null> {
    const now = this.#clock.monotonicMs();
    if (!this.#counting || now - this.#countedAt > FRESH_MS) {
      this.#countedAt = now;
      this.#counting = this.#countAll();
    }
    const counts = await this.#counting;
    return counts ? (counts.get(`${queuePrefix}:${Buffer.from(queue).toString('base64')}`) ?? 0) : null;
  }

  async #countAll(): Promise<ReadonlyMap<string, number> | undefined> {
    try {
      const lists = await Promise.all(mastersOf(this.#client).map((node) => node.client('LIST')));
      return mostOf(lists.map((list) => countNames(String(list))));
    } catch {
      // CLIENT LIST may be forbidden; a Redis that is away says so by every other call.
      return undefined;
    }
  }
}

/** BullMQ appends `:w:{name}` for a worker with a name of its own. */
function countNames(list: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, name] of list.matchAll(/ name=(\S+?)(?::w:\S*)? /g)) {
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** In a Cluster a worker may be connected to each node, under the same name. */
function mostOf(nodes: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const most = new Map<string, number>();
  for (const counts of nodes) {
    for (const [name, count] of counts) most.set(name, Math.max(count, most.get(name) ?? 0));
  }
  return most;
}
