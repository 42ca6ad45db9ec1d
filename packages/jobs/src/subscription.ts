/**
 * This file owns a stream of a queue's or a job's events for one reader: from where it left off, without a hole it is not
 * told of, and never more of it in memory than its bound. A reader that does not keep up is dropped.
 */
import type { RedisClient } from '@sluice/redis';
import { JsonText } from '@sluice/runtime';
import { invalid } from './data.ts';
import { type EventReader, hasGap, type Listening, type StreamEvent, toFields } from './event-reader.ts';
import { readFailure } from './failure.ts';
import type { Queues } from './queues.ts';
import type { Reader } from './reads.ts';
import { endOf, type JobEnd } from './wait.ts';

export interface QueueEvent {
  /** Where to resume from: a later subscription with it as `afterId` begins behind this event. */
  id: string;
  /**
   * BullMQ's word for what happened (`added`, `waiting`, `delayed`, `active`, `progress`, `completed`, `failed`, `removed`,
   * …), or one of ours: `gap`, events after this id are lost; `overflow`, the reader was too slow and this is the end.
   */
  event: string;
  /** `null` for what happens to the queue. */
  jobId: string | null;
  /** Milliseconds since the epoch. */
  at: number;
  /** What BullMQ says beside; `result` and `progress` are `JsonText`, `error` is a `JobFailure`. */
  data: Readonly<Record<string, unknown>>;
}

export interface SubscribeOptions {
  /** Events of this job only; the stream ends with the job. */
  jobId?: string | undefined;
  /** The id of the last event seen; absent: from now on. */
  afterId?: string | undefined;
  /** Ends the stream. */
  signal?: AbortSignal | undefined;
}

/** Of what a reader has not taken yet: enough for a burst, too little to matter. */
const MAX_BUFFERED_CHARACTERS = 262_144;
/** What an event weighs beside its fields. */
const EVENT_CHARACTERS = 100;
const CATCH_UP_COUNT = 500;
const STREAM_ID = /^\d{1,16}-\d{1,16}$/;

export interface SubscriberOptions {
  client: RedisClient;
  events: EventReader;
  reader: Reader;
  queues: Queues;
}

/**
 * Resolves when no event can be missed any more; the stream then holds a listener until it is read to its end, left
 * (`break`), or aborted. Rejects with `job_invalid`, `job_not_found`, `waiters_full`, or as ioredis does.
 */
export async function subscribe(
  { client, events, reader, queues }: SubscriberOptions,
  queue: string,
  { jobId, afterId, signal }: SubscribeOptions,
): Promise<AsyncIterableIterator<QueueEvent>> {
  signal?.throwIfAborted();
  if (afterId !== undefined && !STREAM_ID.test(afterId)) throw invalid(`'${afterId}' is no id of an event`);
  const stream = queues.open(queue).keys.events;
  const buffer = new Buffered();
  const listening = await events.listen(stream, {
    jobId,
    onEvent: (event) => buffer.push(toQueueEvent(event)),
    onGap: () => buffer.push(marker('gap', listening.from)),
  });
  try {
    const end = jobId === undefined ? undefined : await endNow(reader, queue, jobId, afterId !== undefined);
    const leave = () => {
      listening.stop();
      buffer.end();
    };
    signal?.addEventListener('abort', leave, { once: true });
    return leaving(read({ client, stream, listening, buffer, jobId, afterId, end }), leave);
  } catch (error) {
    listening.stop();
    throw error;
  }
}

/** `return` on a generator that has not begun runs none of it, and on one that awaits an event waits as well. */
function leaving(
  generator: AsyncGenerator<QueueEvent>,
  leave: () => void,
): AsyncIterableIterator<QueueEvent> {
  return {
    next: () => generator.next(),
    return: () => {
      leave();
      return generator.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

interface Reading {
  client: RedisClient;
  stream: string;
  listening: Listening;
  buffer: Buffered;
  jobId: string | undefined;
  afterId: string | undefined;
  /** How the job had ended when the stream began. */
  end: JobEnd | undefined;
}

async function* read(reading: Reading): AsyncGenerator<QueueEvent> {
  const { listening, buffer, jobId, end } = reading;
  try {
    for await (const event of catchUp(reading)) {
      yield event;
      if (jobId !== undefined && isLast(event)) return;
    }
    if (end) {
      yield lastEvent(listening.from, jobId as string, end);
      return;
    }
    for (;;) {
      const event = await buffer.take();
      if (!event) return;
      yield event;
      if (event.event === 'overflow' || (jobId !== undefined && isLast(event))) return;
    }
  } finally {
    listening.stop();
  }
}

/** What lies between the reader's last event and the first one its listener hears. */
async function* catchUp({ client, stream, listening, jobId, afterId }: Reading): AsyncGenerator<QueueEvent> {
  if (afterId === undefined || listening.from === '0-0') return;
  if (await hasGap(client, stream, afterId)) yield marker('gap', afterId);
  let from = afterId;
  for (;;) {
    const entries = await client.xrange(stream, `(${from}`, listening.from, 'COUNT', CATCH_UP_COUNT);
    for (const [id, flat] of entries) {
      const event = toQueueEvent({ id, fields: toFields(flat) });
      if (jobId === undefined || event.jobId === jobId) yield event;
    }
    const last = entries.at(-1);
    if (!last || entries.length < CATCH_UP_COUNT) return;
    from = last[0];
  }
}

async function endNow(
  reader: Reader,
  queue: string,
  jobId: string,
  isResumed: boolean,
): Promise<JobEnd | undefined> {
  if (!isResumed) return endOf(await reader.get(queue, jobId));
  const job = await reader.find(queue, jobId);
  return job ? endOf(job) : { kind: 'gone' };
}

/** Events on their way from the reader of all to the reader of these. */
class Buffered {
  readonly #events: QueueEvent[] = [];
  #characters = 0;
  #isEnded = false;
  #wake: (() => void) | undefined;

  push(event: QueueEvent): void {
    if (this.#isEnded) return;
    this.#characters += weight(event);
    if (this.#characters > MAX_BUFFERED_CHARACTERS) {
      this.#events.splice(0, this.#events.length, marker('overflow', event.id));
      this.#isEnded = true;
    } else {
      this.#events.push(event);
    }
    this.#wake?.();
  }

  end(): void {
    this.#events.length = 0;
    this.#isEnded = true;
    this.#wake?.();
  }

  /** The next event, as soon as there is one; `undefined` at the end. */
  async take(): Promise<QueueEvent | undefined> {
    while (this.#events.length === 0) {
      if (this.#isEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const event = this.#events.shift();
    if (event) this.#characters -= weight(event);
    return event;
  }
}

function weight({ data }: QueueEvent): number {
  let characters = EVENT_CHARACTERS;
  for (const value of Object.values(data)) {
    if (value instanceof JsonText) characters += value.text.length;
    else characters += typeof value === 'string' ? value.length : EVENT_CHARACTERS;
  }
  return characters;
}

function toQueueEvent({ id, fields }: StreamEvent): QueueEvent {
  const { event = '', jobId = null, returnvalue, failedReason, data, ...rest } = fields;
  return {
    id,
    event,
    jobId,
    at: timeOf(id),
    data: {
      ...rest,
      ...(returnvalue !== undefined && { result: new JsonText(returnvalue) }),
      ...(data !== undefined && { progress: new JsonText(data) }),
      ...(failedReason !== undefined && { error: readFailure(failedReason) }),
    },
  };
}

function lastEvent(id: string, jobId: string, end: JobEnd): QueueEvent {
  const at = timeOf(id);
  switch (end.kind) {
    case 'completed':
      return { id, event: 'completed', jobId, at, data: { result: end.result } };
    case 'failed':
      return { id, event: 'failed', jobId, at, data: { error: end.error } };
    case 'gone':
    case 'pending':
      return { id, event: 'removed', jobId, at, data: {} };
  }
}

function marker(event: 'gap' | 'overflow', id: string): QueueEvent {
  return { id, event, jobId: null, at: timeOf(id), data: {} };
}

function isLast({ event }: QueueEvent): boolean {
  return event === 'completed' || event === 'failed' || event === 'removed';
}

function timeOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}
