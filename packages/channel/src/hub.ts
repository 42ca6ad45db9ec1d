/**
 * This file owns the one subscriber connection of a process: each topic is subscribed to once, for as long as somebody
 * here reads it. When the connection is lost every reader ends, since what was published meanwhile cannot be told. In a
 * Cluster there is one connection a master, and every reader ends when any of them is lost or takes over slots.
 */
import { Cluster, hear, type RedisClient, subscribe, unsubscribe } from '@sluice/redis';
import { type Log, within } from '@sluice/runtime';
import { parsePublished } from './message.ts';
import type { Subscription } from './subscription.ts';

const SUBSCRIBE_TIMEOUT_MS = 1_500;
/** A connection whose peer vanished says nothing by itself. */
const PING_EVERY_MS = 15_000;
const PING_TIMEOUT_MS = 2_000;

interface Topic {
  readers: Set<Subscription>;
  /** Settles when Redis has confirmed. */
  subscribed: Promise<unknown>;
}

export class Hub {
  readonly #client: RedisClient;
  readonly #log: Log | undefined;
  readonly #topics = new Map<string, Topic>();
  #pinger: NodeJS.Timeout | undefined;
  #unhear: (() => void) | undefined;
  readonly #pingEveryMs: number;

  /** `client` of the `subscriber` profile, used for nothing else. */
  constructor(options: { client: RedisClient; log?: Log | undefined; pingEveryMs?: number | undefined }) {
    this.#client = options.client;
    this.#log = options.log;
    this.#pingEveryMs = options.pingEveryMs ?? PING_EVERY_MS;
  }

  start(): void {
    this.#unhear = hear(this.#client, {
      onMessage: (topic, payload) => this.#spread(topic, payload),
      onInterruption: () => this.endAll('redis_unavailable'),
    });
    this.#pinger = setInterval(() => void this.#ping(), this.#pingEveryMs);
    this.#pinger.unref();
  }

  stop(): void {
    clearInterval(this.#pinger);
    this.endAll('stopped');
    this.#unhear?.();
  }

  /** Resolves when everything published from now on reaches the reader. Rejects while Redis is away; it has not joined then. */
  async join(topic: string, reader: Subscription): Promise<void> {
    let entry = this.#topics.get(topic);
    if (!entry) {
      // Else ioredis keeps the command until Redis is back.
      if (this.#client.status !== 'ready') throw new Error('Connection is closed.');
      entry = { readers: new Set(), subscribed: subscribe(this.#client, topic) };
      this.#topics.set(topic, entry);
    }
    entry.readers.add(reader);
    try {
      await within(entry.subscribed, SUBSCRIBE_TIMEOUT_MS);
    } catch (error) {
      this.leave(topic, reader);
      throw error;
    }
  }

  /** The last reader takes the topic's subscription with it. */
  leave(topic: string, reader: Subscription): void {
    const entry = this.#topics.get(topic);
    if (!entry?.readers.delete(reader) || entry.readers.size > 0) return;
    this.#topics.delete(topic);
    this.#unsubscribe(topic);
  }

  endAll(ending: 'redis_unavailable' | 'stopped'): void {
    for (const { readers } of [...this.#topics.values()]) {
      for (const reader of [...readers]) reader.end(ending);
    }
  }

  #spread(topic: string, payload: string): void {
    const entry = this.#topics.get(topic);
    // ioredis subscribes again after an outage, also to what nobody reads any more.
    if (!entry) {
      this.#unsubscribe(topic);
      return;
    }
    const { message, before } = parsePublished(payload);
    for (const reader of entry.readers) reader.deliver(message, before);
  }

  #unsubscribe(topic: string): void {
    if (this.#client.status !== 'ready') return;
    // Should it fail, the connection is gone and its subscriptions with it.
    unsubscribe(this.#client, topic).catch(() => undefined);
  }

  async #ping(): Promise<void> {
    if (this.#client instanceof Cluster || this.#client.status !== 'ready') return;
    try {
      await within(this.#client.ping(), PING_TIMEOUT_MS);
    } catch {
      // Closing it ends the readers and makes ioredis connect anew.
      this.#log?.warn('subscriber connection silent');
      this.#client.disconnect(true);
    }
  }
}
