/**
 * This file owns one reader's view of a channel: kept messages from its place on, then what is published, each once and
 * in order, in a bounded buffer.
 *
 * ```
 *  behind ── the log has no more, and nothing was published meanwhile ──────────────────▶ level
 *    ▲                                                                                     │
 *    └── a kept message came whose predecessor did not, or does not fit; all was quiet ◀───┘
 *
 *  ended: overflow, stopped, redis_unavailable
 * ```
 *
 * A reader that is behind holds one page of the log, however much is published: being slow costs it nothing but, when
 * its place is trimmed away, a gap, which it is told. Messages that are not kept have only the buffer; a reader that
 * leaves it full ends with `overflow`. They may overtake kept ones while the reader is behind.
 */
import type { History, Place } from './history.ts';
import { type ChannelEvent, isAfter, type Message } from './message.ts';

/** Why a reader gets no more: it was too slow, Redis went away, or it was ended here. */
export type Ending = 'overflow' | 'redis_unavailable' | 'stopped';

export interface SubscriptionOptions {
  channel: string;
  history: History;
  place: Place;
  /** Messages right after `place` are known to be gone. */
  hasGap: boolean;
  maxBufferedBytes: number;
  /** Called once, whatever ended it. */
  onEnd: (subscription: Subscription) => void;
}

/** What a buffered message costs beside its text. */
const OVERHEAD_BYTES = 64;

export class Subscription {
  readonly channel: string;
  readonly #history: History;
  readonly #maxBufferedBytes: number;
  readonly #onEnd: (subscription: Subscription) => void;
  #buffer: ChannelEvent[] = [];
  #bufferedBytes = 0;
  /** After the last kept message that was buffered or taken. */
  #place: Place;
  #taken: string;
  #isBehind = true;
  #hasMissed = false;
  #ending: Ending | undefined;
  #wake: (() => void) | undefined;

  constructor(options: SubscriptionOptions) {
    this.channel = options.channel;
    this.#history = options.history;
    this.#place = options.place;
    this.#taken = options.place.id;
    this.#maxBufferedBytes = options.maxBufferedBytes;
    this.#onEnd = options.onEnd;
    if (options.hasGap) this.#buffer.push({ kind: 'gap', after: options.place.id });
  }

  /** The id of the last kept message that was taken, at first of the place it began at: where a reader that comes back begins. */
  get position(): string {
    return this.#taken;
  }

  /** `undefined` while it goes on. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /**
   * What has come, at once when there is something, else within `waitMs`; empty when nothing came or it has ended. One
   * call at a time. Rejects when the log cannot be read, and has ended then.
   */
  async take(waitMs: number): Promise<ChannelEvent[]> {
    while (!this.#ending) {
      if (this.#buffer.length > 0) return this.#drain();
      if (this.#isBehind) {
        await this.#catchUp();
      } else if (!(await this.#somethingComes(waitMs))) {
        // Looked after once a quiet spell, should the connection have lost the last message.
        this.#isBehind = true;
        return [];
      }
    }
    return [];
  }

  /** A message was published. `before` is the id of the kept one before it. */
  deliver(message: Message, before: string | null): void {
    if (this.#ending) return;
    const bytes = Buffer.byteLength(message.text) + OVERHEAD_BYTES;
    // A single message always fits: its own length is bounded.
    const fits = this.#buffer.length === 0 || this.#bufferedBytes + bytes <= this.#maxBufferedBytes;
    if (message.id !== null) {
      const { id, number } = this.#place;
      if (this.#isBehind || (isAfter(message.id, id) && (before !== id || !fits))) {
        this.#isBehind = true;
        this.#hasMissed = true;
        this.#wake?.();
        return;
      }
      if (!isAfter(message.id, id)) return;
      this.#place = { id: message.id, number: number === null ? null : number + 1 };
    } else if (!fits) {
      this.end('overflow');
      return;
    }
    this.#buffer.push(message);
    this.#bufferedBytes += bytes;
    this.#wake?.();
  }

  /** Ends it and frees what is buffered; safe to call twice. */
  end(ending: Ending): void {
    if (this.#ending) return;
    this.#ending = ending;
    this.#buffer = [];
    this.#onEnd(this);
    this.#wake?.();
  }

  /** Buffers the next page of the log; without one the reader is level. */
  async #catchUp(): Promise<void> {
    this.#hasMissed = false;
    const { id, number } = this.#place;
    const { messages, firstNumber } = await this.#readAfter(id);
    const last = messages.at(-1)?.id;
    if (this.#ending) return;
    if (!last || firstNumber === null) {
      this.#isBehind = this.#hasMissed;
      return;
    }
    // A log that begins anew has expired: whoever was level missed nothing.
    if (number !== null && firstNumber !== number + 1 && firstNumber !== 1) {
      this.#buffer.push({ kind: 'gap', after: id });
    }
    for (const message of messages) this.#buffer.push(message);
    this.#place = { id: last, number: firstNumber + messages.length - 1 };
  }

  async #readAfter(id: string) {
    try {
      return await this.#history.after(this.channel, id);
    } catch (error) {
      this.end('redis_unavailable');
      throw error;
    }
  }

  #drain(): ChannelEvent[] {
    const drained = this.#buffer;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    this.#taken = this.#place.id;
    return drained;
  }

  /** False when `waitMs` passed and nothing came. */
  #somethingComes(waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (came: boolean) => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(came);
      };
      const timer = setTimeout(() => settle(false), waitMs);
      this.#wake = () => settle(true);
    });
  }
}
