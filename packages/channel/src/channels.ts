/**
 * This file owns channels: publishing to whoever listens, reading with or without a memory, and the bounds on readers.
 *
 * A message is delivered at most once to those who read just then, unless it is published to be kept: then a reader who
 * comes back with the id of the last one it saw gets all that followed, at least once, as far as it is still kept.
 */
import type { Keyspace } from '@sluice/config';
import { publishCommand, type RedisClient } from '@sluice/redis';
import { DomainError, type JsonText, type Log, type Service } from '@sluice/runtime';
import { History, type Place } from './history.ts';
import { Hub } from './hub.ts';
import { type ChannelKeys, channelKeys } from './keys.ts';
import { BEGINNING } from './message.ts';
import { type ChannelErrorCode, MAX_MESSAGE_BYTES, POSITION_PATTERN } from './schemas.ts';
import { publishScript } from './scripts.ts';
import { Subscription } from './subscription.ts';

export const DEFAULT_MAX_READERS = 2_000;
export const DEFAULT_MAX_READERS_PER_OWNER = 20;
/** Of messages that wait for a slow reader. */
export const DEFAULT_MAX_BUFFERED_BYTES = 64 * 1024;

export interface ChannelsOptions {
  /** Of the `request` profile. */
  client: RedisClient;
  /** Of the `subscriber` profile, for channels alone: the one connection for all readers of this process. */
  subscriber: RedisClient;
  keys: Keyspace;
  /** The database of the two clients; default 0. */
  database?: number;
  /** In this process; default 2,000. */
  maxReaders?: number;
  /** Default 20. */
  maxReadersPerOwner?: number;
  /** A reader that is further behind ends with `overflow`; default 64 KiB. */
  maxBufferedBytes?: number;
  /** How often the subscriber connection is asked whether it lives; default 15 s. */
  pingEveryMs?: number;
  log?: Log;
}

/** How long a message is kept for readers who come back: the last `count` or somewhat more, for `ms` after the last of them. */
export interface Keep {
  count: number;
  ms: number;
}

export class Channels implements Service {
  readonly name = 'channels';
  readonly #client: RedisClient;
  readonly #keys: ChannelKeys;
  readonly #hub: Hub;
  readonly #history: History;
  readonly #maxReaders: number;
  readonly #maxReadersPerOwner: number;
  readonly #maxBufferedBytes: number;
  readonly #readersOf = new Map<string, number>();
  #readers = 0;

  constructor(options: ChannelsOptions) {
    this.#client = options.client;
    this.#keys = channelKeys(options.keys, options.database ?? 0);
    const { subscriber, log, pingEveryMs } = options;
    this.#hub = new Hub({ client: subscriber, log, pingEveryMs });
    this.#history = new History({ client: options.client, keys: this.#keys });
    this.#maxReaders = options.maxReaders ?? DEFAULT_MAX_READERS;
    this.#maxReadersPerOwner = options.maxReadersPerOwner ?? DEFAULT_MAX_READERS_PER_OWNER;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
  }

  start(): void {
    this.#hub.start();
  }

  /** Ends every reader. */
  stop(): void {
    this.#hub.stop();
  }

  /** How many read in this process. */
  get readers(): number {
    return this.#readers;
  }

  /** Answers the message's id, `null` when it is not kept. Throws `channel_message_too_large`; rejects while Redis is away. */
  async publish(channel: string, message: JsonText, keep: Keep | null = null): Promise<string | null> {
    const bytes = Buffer.byteLength(message.text);
    if (bytes > MAX_MESSAGE_BYTES) {
      throw refuse(
        'channel_message_too_large',
        `A message has at most ${MAX_MESSAGE_BYTES} bytes, this has ${bytes}.`,
        { bytes, max_bytes: MAX_MESSAGE_BYTES },
      );
    }
    const id = (await publishScript.run(this.#client, {
      keys: { log: this.#keys.log(channel) },
      args: {
        topic: this.#keys.topic(channel),
        message: message.text,
        publish: publishCommand(this.#client),
        count: keep?.count ?? 0,
        keep_ms: keep?.ms ?? 0,
      },
    })) as string;
    return id || null;
  }

  /**
   * A reader of what is published from now on or, with `after`, of what was kept since that message; `'0'` for all that
   * is kept. `owner` is whose reader it is, for the bound. End it by `subscription.end('stopped')`.
   *
   * Throws `channel_readers_full`, `channel_readers_of_key_full`, `channel_position_invalid`; rejects while Redis is away.
   */
  async subscribe({
    channel,
    owner,
    after,
  }: {
    channel: string;
    owner: string;
    after?: string | undefined;
  }): Promise<Subscription> {
    if (after !== undefined && !POSITION_PATTERN.test(after)) {
      throw refuse('channel_position_invalid', 'This is not the id of a message of a channel.');
    }
    this.#admit(owner);
    const topic = this.#keys.topic(channel);
    let subscription: Subscription | undefined;
    try {
      // Before subscribing: what is kept between the two is read from the log.
      const found = await this.#place(channel, after);
      subscription = new Subscription({
        channel,
        history: this.#history,
        place: found ?? { id: after ?? BEGINNING, number: null },
        hasGap: found === undefined,
        maxBufferedBytes: this.#maxBufferedBytes,
        onEnd: (ended) => {
          this.#hub.leave(topic, ended);
          this.#dismiss(owner);
        },
      });
      await this.#hub.join(topic, subscription);
      return subscription;
    } catch (error) {
      if (subscription) subscription.end('redis_unavailable');
      else this.#dismiss(owner);
      throw error;
    }
  }

  /** `undefined`: the message `after` is not kept any more. */
  async #place(channel: string, after: string | undefined): Promise<Place | undefined> {
    if (after === undefined) return await this.#history.end(channel);
    if (after === '0') return { id: BEGINNING, number: null };
    return await this.#history.find(channel, after);
  }

  #admit(owner: string): void {
    const owned = this.#readersOf.get(owner) ?? 0;
    if (owned >= this.#maxReadersPerOwner) {
      throw refuse('channel_readers_of_key_full', `This key has ${owned} readers open, as many as it may.`);
    }
    if (this.#readers >= this.#maxReaders) {
      throw refuse('channel_readers_full', `This server has ${this.#readers} readers, as many as it may.`);
    }
    this.#readersOf.set(owner, owned + 1);
    this.#readers += 1;
  }

  #dismiss(owner: string): void {
    const owned = (this.#readersOf.get(owner) ?? 1) - 1;
    if (owned === 0) this.#readersOf.delete(owner);
    else this.#readersOf.set(owner, owned);
    this.#readers -= 1;
  }
}

function refuse(code: ChannelErrorCode, message: string, details?: Readonly<Record<string, unknown>>) {
  return new DomainError<ChannelErrorCode>(code, message, details ? { details } : {});
}
