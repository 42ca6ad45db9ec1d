/**
 * This file owns an answer that goes on: events as the HTML Standard writes them (§9.2), a sign of life, and an end that
 * says why.
 *
 * Nothing is asked of the feed before the client has taken what came before, so a slow client slows its feed and nobody
 * else; how long a feed may be slow is its own affair.
 */
import type { Reply } from './reply.ts';

export interface ServerEvent {
  /** Without one: `message`. One word. */
  name?: string;
  /** Where a client that comes back begins. */
  id?: string | null;
  /** May have several lines. */
  data: string;
}

export interface Feed {
  /** What has come, at once or within `waitMs`; empty when nothing came or it has ended. A rejection ends the stream. */
  take(waitMs: number): Promise<readonly ServerEvent[]>;
  /** Why it ended; `undefined` while it goes on. One word, the name of the last event. */
  readonly ending: string | undefined;
  /** Ends it; `take` then answers at once. Called when the client has gone, and safe to call twice. */
  end(): void;
}

export interface EventStreamOptions {
  feed: Feed;
  /** Where the feed begins, for a client that is cut off before the first event. */
  position: string;
  /** Aborts when this process stops. */
  stopping: AbortSignal;
  /** Asked once a minute; false ends the stream with `forbidden`. */
  isAllowed: () => boolean;
}

/** Proxies close what is silent for a minute, some for half of that. */
const HEARTBEAT_MS = 15_000;
const CHECK_EVERY_MS = 60_000;
/** Clients come back, to whichever server there is then; spread, or all of them come at once. */
const MAX_AGE_MS = 30 * 60_000;
const MAX_AGE_SPREAD_MS = 5 * 60_000;
/** What a browser waits before it comes back. */
const RETRY_MS = 2_000;

/** 200 with the events of `feed` until it ends, the client goes, the key loses its right or this process stops. */
export function eventStream(options: EventStreamOptions): Reply {
  const { feed, stopping, isAllowed } = options;
  const endsAt = performance.now() + MAX_AGE_MS + Math.random() * MAX_AGE_SPREAD_MS;
  let checkAt = performance.now() + CHECK_EVERY_MS;
  let reason: string | undefined;
  const encoder = new TextEncoder();
  const stop = () => feed.end();
  stopping.addEventListener('abort', stop, { once: true });
  if (stopping.aborted) stop();

  const nextChunk = async (): Promise<string> => {
    const events = await feed.take(HEARTBEAT_MS).catch(() => []);
    const now = performance.now();
    if (now >= checkAt) {
      checkAt = now + CHECK_EVERY_MS;
      if (!isAllowed()) reason = 'forbidden';
    }
    if (now >= endsAt) reason ??= 'renewed';
    if (events.length === 0) reason ??= feed.ending;
    const last = reason === undefined ? '' : frame({ name: reason, data: '{}' });
    return events.map(frame).join('') + last || ': alive\n\n';
  };
  const release = () => {
    stopping.removeEventListener('abort', stop);
    feed.end();
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) =>
        controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\nid: ${options.position}\n\n`)),
      pull: async (controller) => {
        controller.enqueue(encoder.encode(await nextChunk()));
        if (reason === undefined) return;
        controller.close();
        release();
      },
      cancel: release,
    },
    { highWaterMark: 0 },
  );
  return {
    status: 200,
    body,
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store, no-transform',
      // nginx holds back what it takes for a page.
      'X-Accel-Buffering': 'no',
    },
  };
}

/** One event. A line break of any kind in the data begins a new data line; the reader puts them together again. */
export function frame({ name, id, data }: ServerEvent): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${id ? `id: ${id}\n` : ''}${name ? `event: ${name}\n` : ''}${lines.join('')}\n`;
}
