/** This file owns reading the kept messages of a channel: where the log stands, and pages after a place in it. */
import type { RedisClient } from '@sluice/redis';
import type { ChannelKeys } from './keys.ts';
import { BEGINNING, type Message } from './message.ts';

/** With the longest messages, 2 MiB: what one reader may hold while it catches up. */
const PAGE = 32;

/** A place in a log: right after the message `id`, which was the `number`-th since the log began. */
export interface Place {
  id: string;
  /** `null`: not known, so that nothing can be said of what was trimmed after it. */
  number: number | null;
}

export interface Page {
  messages: Message[];
  /** Number of the first message; `null` for an empty page. */
  firstNumber: number | null;
}

type Entry = [id: string, fields: [m: 'm', text: string, n: 'n', number: string]];

export class History {
  readonly #client: RedisClient;
  readonly #keys: ChannelKeys;

  constructor(options: { client: RedisClient; keys: ChannelKeys }) {
    this.#client = options.client;
    this.#keys = options.keys;
  }

  /** After the last kept message. */
  async end(channel: string): Promise<Place> {
    const [last] = (await this.#client.xrevrange(this.#keys.log(channel), '+', '-', 'COUNT', 1)) as Entry[];
    return last ? placeOf(last) : { id: BEGINNING, number: 0 };
  }

  /** After the message `id`; `undefined` when it is not kept any more. */
  async find(channel: string, id: string): Promise<Place | undefined> {
    if (id === BEGINNING) return { id, number: 0 };
    const [entry] = (await this.#client.xrange(this.#keys.log(channel), id, id, 'COUNT', 1)) as Entry[];
    return entry && placeOf(entry);
  }

  /** The next messages after `id`, oldest first, at most a page; empty at the end. */
  async after(channel: string, id: string): Promise<Page> {
    const log = this.#keys.log(channel);
    const entries = (await this.#client.xrange(log, `(${id}`, '+', 'COUNT', PAGE)) as Entry[];
    const [first] = entries;
    return {
      messages: entries.map(([entryId, [, text]]) => ({ kind: 'message', id: entryId, text })),
      firstNumber: first ? Number(first[1][3]) : null,
    };
  }
}

function placeOf([id, fields]: Entry): Place {
  return { id, number: Number(fields[3]) };
}
