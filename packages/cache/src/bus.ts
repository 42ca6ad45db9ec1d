/**
 * This file owns the word of changed entries between processes: one channel a service. Publish/subscribe loses what is
 * said while a subscription is down, so each process also sends itself a beat: it hears the bus only while its own beats
 * come back. A connection that is half dead, or a writer and a listener on two masters of a failover, fall silent alike.
 */
import { randomBytes } from 'node:crypto';
import { hear, publish, type RedisClient, subscribe, unsubscribe } from '@sluice/redis';
import type { Clock } from '@sluice/runtime';

const BEAT_MS = 1_000;
/** Three beats. After this long without one, nothing that was heard before counts. */
export const SILENCE_MS = 3_000;
/** A message with more keys says 'all'. */
const MAX_KEYS_TOLD = 200;

export class InvalidationBus {
  readonly #publisher: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #channel: string;
  readonly #clock: Clock;
  readonly #self = randomBytes(8).toString('base64url');
  readonly #listeners: ((keys: readonly string[] | 'all') => void)[] = [];
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #unhear: (() => void) | undefined;

  /** `subscriber` has the profile of the same name. Both clients stay their owner's. */
  constructor(options: { publisher: RedisClient; subscriber: RedisClient; channel: string; clock: Clock }) {
    this.#publisher = options.publisher;
    this.#subscriber = options.subscriber;
    this.#channel = options.channel;
    this.#clock = options.clock;
  }

  /** Changes are told to us just now. */
  get isHeard(): boolean {
    return this.#clock.monotonicMs() - this.#heardAtMs < SILENCE_MS;
  }

  onChange(listener: (keys: readonly string[] | 'all') => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves once subscribed, which may be as late as Redis comes. */
  async start(): Promise<void> {
    this.#unhear = hear(this.#subscriber, { onMessage: this.#onMessage, onInterruption: this.#onSilence });
    await subscribe(this.#subscriber, this.#channel);
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#timer.unref();
    this.#beat();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#unhear?.();
    // A connection that is away has no subscription to end.
    await unsubscribe(this.#subscriber, this.#channel).catch(() => undefined);
  }

  tell(keys: readonly string[] | 'all'): void {
    const told = keys === 'all' || keys.length > MAX_KEYS_TOLD ? 'all' : keys;
    // Unheard means Redis is away from us: the others read again when the entry's age ends.
    publish(this.#publisher, this.#channel, JSON.stringify([this.#self, told])).catch(() => undefined);
  }

  #beat(): void {
    publish(this.#publisher, this.#channel, JSON.stringify([this.#self, 'beat'])).catch(() => undefined);
  }

  readonly #onMessage = (channel: string, message: string): void => {
    if (channel !== this.#channel) return;
    const [sender, keys] = JSON.parse(message) as [string, readonly string[] | 'all' | 'beat'];
    if (sender === this.#self) {
      if (keys === 'beat') this.#onBeat();
      return;
    }
    if (keys !== 'beat') this.#change(keys);
  };

  /** The first beat after a silence: what was kept before it may have changed unheard. */
  #onBeat(): void {
    if (!this.isHeard) this.#change('all');
    this.#heardAtMs = this.#clock.monotonicMs();
  }

  readonly #onSilence = (): void => {
    this.#heardAtMs = Number.NEGATIVE_INFINITY;
    this.#change('all');
  };

  #change(keys: readonly string[] | 'all'): void {
    for (const listener of this.#listeners) listener(keys);
  }
}
