/** This file owns the event stream of a page: its live figures, again and again, as long as somebody looks. */
import type { LiveFigures } from './live.ts';
import { changesOf } from './live.ts';

/** A person sees it move, and a hundred people cost what one does. */
export const LOOK_EVERY_MS = 2_000;
/** Proxies close what is silent for a minute, some for half of that. */
const HEARTBEAT_MS = 15_000;
/** Whether the operator is still in. */
const CHECK_EVERY_MS = 30_000;
/** Browsers come back by themselves. */
const MAX_AGE_MS = 30 * 60_000;
/** Open streams of this process. */
const MAX_STREAMS = 500;

export interface StreamOptions {
  look(): Promise<LiveFigures>;
  /** False ends the stream. */
  isIn(): Promise<boolean>;
  /** Aborts when this process stops. */
  stopping: AbortSignal;
}

export class LiveStreams {
  #open = 0;

  /** The body of an answer of `text/event-stream`; `undefined` when there are too many. */
  open({ look, isIn, stopping }: StreamOptions): ReadableStream<Uint8Array> | undefined {
    if (this.#open >= MAX_STREAMS) return undefined;
    this.#open += 1;
    const gone = new AbortController();
    const end = AbortSignal.any([stopping, gone.signal]);
    const encoder = new TextEncoder();
    let before: LiveFigures = new Map();
    let isAway = false;
    const startedAt = performance.now();
    let spokeAt = startedAt;
    let checkedAt = startedAt;
    const close = () => {
      if (!gone.signal.aborted) this.#open -= 1;
      gone.abort();
    };
    return new ReadableStream<Uint8Array>(
      {
        // Asked for the next piece only once the last was taken, so a slow reader slows itself.
        pull: async (controller) => {
          for (;;) {
            await pause(before.size === 0 && !isAway ? 0 : LOOK_EVERY_MS, end);
            const now = performance.now();
            if (now - checkedAt > CHECK_EVERY_MS) {
              checkedAt = now;
              if (!(await isIn().catch(() => true))) gone.abort();
            }
            if (end.aborted || now - startedAt > MAX_AGE_MS) {
              close();
              controller.close();
              return;
            }
            const text = await told();
            if (text === undefined && now - spokeAt < HEARTBEAT_MS) continue;
            spokeAt = now;
            controller.enqueue(encoder.encode(text ?? ':\n\n'));
            return;
          }
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    );

    /** The next event; `undefined` when nothing is another than before. */
    async function told(): Promise<string | undefined> {
      const after = await look().catch(() => undefined);
      if (!after) {
        const text = isAway ? undefined : 'event: away\ndata: {}\n\n';
        isAway = true;
        return text;
      }
      const changes = changesOf(before, after);
      const isFirst = before.size === 0 || isAway;
      before = after;
      isAway = false;
      if (!isFirst && Object.keys(changes).length === 0) return undefined;
      return `event: figures\ndata: ${JSON.stringify(changes)}\n\n`;
    }
  }
}

/** Resolves early when `end` aborts. */
function pause(ms: number, end: AbortSignal): Promise<void> {
  if (ms === 0 || end.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      end.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    end.addEventListener('abort', done);
  });
}
