/**
 * This file owns the waiting for a job's end. A wait always ends: by the job's event, by its time, by its signal, when
 * Redis goes away, and, should an event be missed, by looking again every few seconds.
 */
import { type Clock, JsonText } from '@sluice/runtime';
import type { EventReader, Listening, StreamEvent } from './event-reader.ts';
import { type JobFailure, readFailure } from './failure.ts';
import type { Queues } from './queues.ts';
import type { Reader } from './reads.ts';
import type { JobState } from './schemas.ts';
import type { JobView } from './view.ts';

export type FailedState = 'failed' | 'expired' | 'cancelled';

/** How a wait ended. `pending`: its time is over, the job goes on. `gone`: the job has been removed. */
export type JobEnd =
  | { kind: 'completed'; result: JsonText }
  | { kind: 'failed'; error: JobFailure; state: FailedState }
  | { kind: 'pending'; state: JobState }
  | { kind: 'gone' };

export interface WaitOptions {
  /** 0: answer with how it stands. */
  timeoutMs: number;
  /** Rejects with its reason. */
  signal?: AbortSignal | undefined;
}

/** Events are what tells; this is for the one that never came. */
const LOOK_AGAIN_MS = 5_000;
/** A job that is not kept is gone before its last event has been read, and the event says how it ended. */
const EVENT_GRACE_MS = 500;
const MAX_TIMER_MS = 2_147_483_647;

export interface WaiterOptions {
  reader: Pick<Reader, 'get' | 'find'>;
  events: Pick<EventReader, 'listen'>;
  queues: Pick<Queues, 'open'>;
  clock: Clock;
}

export class Waiter {
  readonly #options: WaiterOptions;

  constructor(options: WaiterOptions) {
    this.#options = options;
  }

  async wait(queueName: string, id: string, { timeoutMs, signal }: WaitOptions): Promise<JobEnd> {
    signal?.throwIfAborted();
    const { reader } = this.#options;
    const job = await reader.get(queueName, id);
    const end = endOf(job);
    if (end || timeoutMs <= 0) return end ?? { kind: 'pending', state: job.state };
    return await this.#untilEnd(queueName, job, Math.min(timeoutMs, MAX_TIMER_MS), signal);
  }

  async #untilEnd(
    queueName: string,
    job: JobView,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<JobEnd> {
    const { events, queues, reader } = this.#options;
    signal?.throwIfAborted();
    const ending = deferred<JobEnd>();
    const timers: NodeJS.Timeout[] = [];
    let latest = job.state;
    let listening: Listening | undefined;
    const look = async () => {
      try {
        const now = await reader.find(queueName, job.id);
        const end = now && endOf(now);
        latest = now?.state ?? latest;
        if (end) ending.resolve(end);
        if (!now) timers.push(setTimeout(() => ending.resolve({ kind: 'gone' }), EVENT_GRACE_MS));
      } catch (error) {
        ending.reject(error);
      }
    };
    const onAbort = () => ending.reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      timers.push(setTimeout(() => ending.resolve({ kind: 'pending', state: latest }), timeoutMs));
      listening = await events.listen(queues.open(queueName).keys.events, {
        jobId: job.id,
        onEvent: (event) => {
          const end = endOfEvent(event);
          if (end) ending.resolve(end);
        },
        onInterrupt: (error) => ending.reject(error),
      });
      // It may have ended before anybody listened.
      void look();
      timers.push(setInterval(() => void look(), LOOK_AGAIN_MS));
      const untilExpiryMs = (job.expiresAt ?? Number.POSITIVE_INFINITY) - this.#options.clock.now();
      if (untilExpiryMs < timeoutMs) timers.push(setTimeout(() => void look(), untilExpiryMs + 1));
      return await ending.promise;
    } finally {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      listening?.stop();
    }
  }
}

/** How a job ended, or `undefined` while it has not. */
export function endOf({ state, result, error }: JobView): JobEnd | undefined {
  if (state === 'completed') return { kind: 'completed', result: result ?? new JsonText('null') };
  if (state !== 'failed' && state !== 'expired' && state !== 'cancelled') return undefined;
  return {
    kind: 'failed',
    state,
    error: error ?? { code: state === 'failed' ? 'error' : state, message: 'not started in time' },
  };
}

/** BullMQ's `failed` comes once, after the last attempt. */
function endOfEvent({ fields }: StreamEvent): JobEnd | undefined {
  if (fields.event === 'completed')
    return { kind: 'completed', result: new JsonText(fields.returnvalue ?? 'null') };
  if (fields.event === 'removed') return { kind: 'gone' };
  if (fields.event !== 'failed') return undefined;
  const error = readFailure(fields.failedReason ?? '');
  return {
    kind: 'failed',
    error,
    state: error.code === 'expired' || error.code === 'cancelled' ? error.code : 'failed',
  };
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

function deferred<T>(): Deferred<T> {
  const made: Partial<Deferred<T>> = {};
  made.promise = new Promise<T>((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  // It may be rejected before anybody awaits it.
  made.promise.catch(() => undefined);
  return made as Deferred<T>;
}
