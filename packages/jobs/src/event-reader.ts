/**
 * This file owns the reading of queues' event streams: one reader for all waits and subscriptions of a process. What an
 * event is for is decided by whoever listens.
 *
 * ```
 * listen(queue) -> where is the stream now? -> read on from there -> each event once to each listener, in order
 * ```
 * On one Redis a single XREAD blocks on all streams at once; a new stream unblocks it. In a Cluster the streams lie in
 * different slots and no command may wait for them together, so they are polled. Redis away: the streams stay where they
 * are and reading goes on from there; listeners are told, so that a wait can end at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { JobsErrorCode } from './schemas.ts';

export interface StreamEvent {
  /** Of the stream's entry; orders events and is what a reader resumes from. */
  id: string;
  /** BullMQ's `event` and its other fields, as they are. */
  fields: Readonly<Record<string, string>>;
}

export interface EventListener {
  /** Hear of this job only. */
  jobId?: string | undefined;
  onEvent(event: StreamEvent): void;
  /** Events between the last one told and the next have been trimmed before they were read. */
  onGap?(): void;
  /** The reader lost Redis; it goes on when Redis is back. */
  onInterrupt?(error: Error): void;
}

export interface Listening {
  /** Events after this one are told. */
  readonly from: string;
  stop(): void;
}

interface FollowedStream {
  readonly key: string;
  /** The last entry read. */
  lastId: string;
  /** Listeners of one job under its id, those of all under ''. */
  readonly listeners: Map<string, Set<EventListener>>;
}

/** Waits and subscriptions of one process. */
export const MAX_LISTENERS = 10_000;
const READ_COUNT = 1_000;
/** Bounds how late a stream is read whose unblocking failed. */
const BLOCK_MS = 1_000;
const CLUSTER_POLL_MS = 50;
const RETRY_MS = 250;
const UNBLOCK_TRIES = 20;

export class EventReader {
  readonly #client: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #streams = new Map<string, FollowedStream>();
  readonly #opening = new Map<string, Promise<FollowedStream>>();
  #listenerCount = 0;
  #isReading = false;
  #isClosed = false;
  /** Which streams the read under way knows; a stream added since is not among them. */
  #readStreams: ReadonlySet<string> = new Set();
  #subscriberId: number | undefined;

  /** `client` has the `request` profile; `subscriber` is used by nobody else. */
  constructor(options: { client: RedisClient; subscriber: RedisClient }) {
    this.#client = options.client;
    this.#subscriber = options.subscriber;
    this.#subscriber.on('close', this.#onClose);
  }

  /** Waits and subscriptions held now. */
  get listenerCount(): number {
    return this.#listenerCount;
  }

  /** Resolves when no later event can be missed. Rejects with `waiters_full`, or as ioredis does. */
  async listen(streamKey: string, listener: EventListener): Promise<Listening> {
    if (this.#listenerCount >= MAX_LISTENERS) {
      throw new DomainError<JobsErrorCode>(
        'waiters_full',
        `this process holds ${MAX_LISTENERS} waits and streams already`,
      );
    }
    this.#listenerCount += 1;
    try {
      const stream = await this.#follow(streamKey);
      if (this.#isClosed) throw closed();
      const name = listener.jobId ?? '';
      const peers = stream.listeners.get(name) ?? new Set();
      stream.listeners.set(name, peers.add(listener));
      this.#wake(streamKey);
      return { from: stream.lastId, stop: () => this.#leave(stream, name, listener) };
    } catch (error) {
      this.#listenerCount -= 1;
      throw error;
    }
  }

  /** Listeners are told of an interruption and hear no more. The clients stay open. */
  close(): void {
    this.#isClosed = true;
    this.#subscriber.off('close', this.#onClose);
    this.#interrupt(closed());
    this.#streams.clear();
    void this.#unblock();
  }

  async #follow(key: string): Promise<FollowedStream> {
    const known = this.#streams.get(key);
    if (known) return known;
    let opening = this.#opening.get(key);
    if (!opening) {
      opening = this.#open(key).finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return await opening;
  }

  async #open(key: string): Promise<FollowedStream> {
    const [last] = await this.#client.xrevrange(key, '+', '-', 'COUNT', 1);
    const stream: FollowedStream = { key, lastId: last?.[0] ?? '0-0', listeners: new Map() };
    this.#streams.set(key, stream);
    return stream;
  }

  #leave(stream: FollowedStream, name: string, listener: EventListener): void {
    const peers = stream.listeners.get(name);
    if (!peers?.delete(listener)) return;
    this.#listenerCount -= 1;
    if (peers.size === 0) stream.listeners.delete(name);
    if (stream.listeners.size === 0) this.#streams.delete(stream.key);
  }

  #wake(key: string): void {
    if (this.#isClosed) return;
    if (!this.#isReading) {
      this.#isReading = true;
      void this.#read();
      return;
    }
    if (!this.#readStreams.has(key)) void this.#unblock(key);
  }

  async #read(): Promise<void> {
    while (this.#streams.size > 0 && !this.#isClosed) {
      const streams = [...this.#streams.values()];
      this.#readStreams = new Set(streams.map(({ key }) => key));
      try {
        await (this.#subscriber instanceof Cluster ? this.#poll(streams) : this.#block(streams));
      } catch {
        // Whoever waits has been told by the connection's 'close'; what happened meanwhile is still in the streams.
        await sleep(RETRY_MS);
      }
    }
    this.#readStreams = new Set();
    this.#isReading = false;
    // A stream may have come in between the last look and the line above.
    if (this.#streams.size > 0 && !this.#isClosed) this.#wake([...this.#streams.keys()][0] as string);
  }

  async #block(streams: readonly FollowedStream[]): Promise<void> {
    this.#subscriberId ??= await this.#subscriber.client('ID');
    const keys = streams.map(({ key }) => key);
    const ids = streams.map(({ lastId }) => lastId);
    const reply = await this.#subscriber.xread(
      'COUNT',
      READ_COUNT,
      'BLOCK',
      BLOCK_MS,
      'STREAMS',
      ...keys,
      ...ids,
    );
    for (const [key, entries] of reply ?? []) await this.#deliver(key, entries);
  }

  async #poll(streams: readonly FollowedStream[]): Promise<void> {
    const replies = await Promise.all(
      streams.map(({ key, lastId }) => this.#subscriber.xread('COUNT', READ_COUNT, 'STREAMS', key, lastId)),
    );
    for (const reply of replies) for (const [key, entries] of reply ?? []) await this.#deliver(key, entries);
    if (replies.every((reply) => !reply)) await sleep(CLUSTER_POLL_MS);
  }

  async #deliver(key: string, entries: readonly [id: string, fields: string[]][]): Promise<void> {
    const stream = this.#streams.get(key);
    if (!stream) return;
    // A full reply: there is a backlog, and its beginning may have been trimmed away.
    if (entries.length >= READ_COUNT && (await hasGap(this.#client, key, stream.lastId))) {
      for (const listener of listenersOf(stream)) listener.onGap?.();
    }
    for (const [id, flat] of entries) {
      stream.lastId = id;
      const event: StreamEvent = { id, fields: toFields(flat) };
      for (const listener of [...(stream.listeners.get('') ?? [])]) listener.onEvent(event);
      const { jobId } = event.fields;
      if (jobId) for (const listener of [...(stream.listeners.get(jobId) ?? [])]) listener.onEvent(event);
    }
  }

  /** Ends the read under way, so that the next one knows all streams. It may not have reached Redis yet: ask again. */
  async #unblock(key?: string): Promise<void> {
    for (
      let tries = 0;
      tries < UNBLOCK_TRIES && (key === undefined || !this.#readStreams.has(key));
      tries += 1
    ) {
      if (this.#subscriberId === undefined || this.#subscriber instanceof Cluster) return;
      try {
        if ((await this.#client.client('UNBLOCK', this.#subscriberId)) === 1) return;
      } catch {
        // Redis is away, or forbids it: the read ends by itself after BLOCK_MS.
        return;
      }
      await sleep(5);
    }
  }

  readonly #onClose = () => {
    // The next connection has another id.
    this.#subscriberId = undefined;
    this.#interrupt(closed());
  };

  #interrupt(error: Error): void {
    for (const stream of this.#streams.values()) {
      for (const listener of listenersOf(stream)) listener.onInterrupt?.(error);
    }
  }
}

/** Whether entries after `lastId` may be missing: it is no longer in the stream, and neither is anything before it. */
export async function hasGap(client: RedisClient, key: string, lastId: string): Promise<boolean> {
  if (lastId === '0-0') return false;
  const [before] = await client.xrevrange(key, lastId, '-', 'COUNT', 1);
  return before === undefined;
}

export function toFields(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2)
    fields[flat[index] as string] = flat[index + 1] as string;
  return fields;
}

function listenersOf(stream: FollowedStream): EventListener[] {
  return [...stream.listeners.values()].flatMap((peers) => [...peers]);
}

/** As ioredis says it, so that it is known for what it is. */
function closed(): Error {
  return new Error('Connection is closed.');
}
