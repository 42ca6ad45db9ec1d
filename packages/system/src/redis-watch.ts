/**
 * This file owns the question whether a Redis is still the one we knew: whether it has the data it had, and whether its
 * clock agrees with ours. One command pair every two seconds.
 *
 * A mark is written into each new dataset once and remembered here. Redis without it, or with another, has come back empty
 * or as somebody else's copy; that is told until the mark is back (a backup was restored) or an operator has acknowledged
 * what there is. Nothing writes a new mark by itself, since that would hide the loss from whoever looks next.
 *
 *   none remembered --mark found, or written--> known --missing--> lost --mark back, or acknowledged--> known
 *                                               known --another--> replaced --…
 */
import { randomUUID } from 'node:crypto';
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, type Log, type Service, systemClock } from '@sluice/runtime';
import type { Dataset, DatasetMemory } from './dataset-memory.ts';
import { datasetKey } from './keys.ts';
import { acknowledgeDataset } from './scripts.ts';

/** Two looks and an answer are below the five seconds within which a loss is told. */
export const WATCH_INTERVAL_MS = 2_000;
/** Above it, delays and schedules made here are as much early or late. */
export const CLOCK_SKEW_LIMIT_MS = 1_000;

/** `unknown` until Redis has answered once. */
export type DatasetState = 'unknown' | 'known' | 'lost' | 'replaced';

export interface WatchReport {
  role: string;
  dataset: DatasetState;
  /** How far Redis' clock is ahead of ours; negative: behind. `null` until it has answered once. */
  skewMs: number | null;
}

export interface RedisWatchOptions {
  role: string;
  /** Profile `request`. */
  client: RedisClient;
  keys: Keyspace;
  /** Names the Redis and the prefix: what is remembered of another says nothing. */
  target: string;
  memory: DatasetMemory;
  log: Log;
  clock?: Clock | undefined;
  /** Default `WATCH_INTERVAL_MS`. */
  intervalMs?: number | undefined;
}

export class RedisWatch implements Service {
  readonly name: string;
  readonly #options: RedisWatchOptions;
  readonly #clock: Clock;
  readonly #key: string;
  readonly #onReady = () => void this.#look();
  #known: Dataset | undefined;
  #dataset: DatasetState = 'unknown';
  #skewMs: number | null = null;
  #isLooking = false;
  #isSkewReported = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RedisWatchOptions) {
    this.#options = options;
    this.name = `redis watch ${options.role}`;
    this.#clock = options.clock ?? systemClock;
    this.#key = datasetKey(options.keys, options.role);
  }

  /** Does not wait for Redis. */
  async start(): Promise<void> {
    const { memory, target, client, intervalMs = WATCH_INTERVAL_MS } = this.#options;
    this.#known = await memory.read(target);
    this.#timer = setInterval(() => void this.#look(), intervalMs).unref();
    client.on('ready', this.#onReady);
    void this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#options.client.off('ready', this.#onReady);
  }

  report(): WatchReport {
    return { role: this.#options.role, dataset: this.#dataset, skewMs: this.#skewMs };
  }

  /** Never rejects: a Redis that is away is told of elsewhere, and says nothing about its data. */
  async #look(): Promise<void> {
    if (this.#isLooking || this.#options.client.status !== 'ready') return;
    this.#isLooking = true;
    try {
      const before = this.#clock.now();
      const replies = await this.#options.client
        .pipeline()
        .hmget(this.#key, 'epoch', 'acknowledgedAt')
        .time()
        .exec();
      const after = this.#clock.now();
      const [mark, time] = (replies ?? []).map(([error, reply]) => {
        if (error) throw error;
        return reply;
      }) as [(string | null)[], [string | number, string | number]];
      const now = Number(time[0]) * 1_000 + Math.floor(Number(time[1]) / 1_000);
      this.#tellSkew(Math.round(now - (before + after) / 2));
      await this.#compare(mark[0] ?? null, Number(mark[1] ?? 0), now);
    } catch {
      // Asked again in two seconds.
    } finally {
      this.#isLooking = false;
    }
  }

  async #compare(epoch: string | null, acknowledgedAt: number, now: number): Promise<void> {
    const known = this.#known;
    if (!known) return await this.#adopt(epoch ?? (await this.#mark()), now);
    if (epoch === known.epoch) return this.#tell('known');
    if (epoch === null) return this.#tell('lost');
    if (acknowledgedAt >= known.adoptedAt) return await this.#adopt(epoch, now);
    this.#tell('replaced');
  }

  /** The mark that counts, ours or that of a process that came before us. */
  async #mark(): Promise<string> {
    const { client } = this.#options;
    const epoch = randomUUID();
    if ((await client.hsetnx(this.#key, 'epoch', epoch)) === 1) return epoch;
    return (await client.hget(this.#key, 'epoch')) ?? epoch;
  }

  async #adopt(epoch: string, adoptedAt: number): Promise<void> {
    const { memory, target, role, log } = this.#options;
    this.#known = { target, epoch, adoptedAt };
    this.#tell('known');
    try {
      await memory.write(this.#known);
    } catch (error) {
      log.warn(
        { role, error },
        'dataset is remembered until this process ends, its folder cannot be written',
      );
    }
  }

  #tell(state: DatasetState): void {
    const before = this.#dataset;
    this.#dataset = state;
    if (before === state) return;
    const { role, log } = this.#options;
    const fix = 'restore its backup, or go on with what there is: sluice dataset acknowledge';
    if (state === 'lost') log.error({ role, fix }, 'data loss suspected, Redis came back empty');
    if (state === 'replaced') log.error({ role, fix }, 'data loss suspected, Redis holds another dataset');
    if (state === 'known' && before !== 'unknown') log.info({ role }, 'dataset known again');
  }

  #tellSkew(skewMs: number): void {
    this.#skewMs = skewMs;
    const isFar = Math.abs(skewMs) > CLOCK_SKEW_LIMIT_MS;
    const { role, log } = this.#options;
    if (isFar && !this.#isSkewReported)
      log.warn({ role, skewMs }, 'clock differs from that of Redis, delays and schedules are as far off');
    if (!isFar && this.#isSkewReported) log.info({ role, skewMs }, 'clock agrees with that of Redis');
    this.#isSkewReported = isFar;
  }
}

/** An operator's word that the data of this role's Redis is to be gone on with; every process heeds it within two seconds. */
export async function acknowledge(
  client: RedisClient,
  keys: Keyspace,
  role: string,
): Promise<{ epoch: string; acknowledgedAt: number }> {
  const reply = await acknowledgeDataset.run(client, {
    keys: { dataset: datasetKey(keys, role) },
    args: { epoch: randomUUID() },
  });
  const [epoch, at] = reply as [string, string];
  return { epoch, acknowledgedAt: Number(at) };
}
