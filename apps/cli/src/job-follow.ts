/** This file owns following a job to its end: its events as they happen, the lines its processor logs, through breaks of the connection. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Api } from './api.ts';
import type { ReceivedEvent } from './event-stream.ts';
import { CommandFailure } from './failure.ts';

export interface JobAddress {
  queue: string;
  id: string;
}

/** Where a job stands when the following begins. */
export type JobSeen = Awaited<ReturnType<Api['client']['getJob']>>;

export type Followed =
  | { kind: 'seen'; job: JobSeen }
  | { kind: 'log'; line: string }
  /** `data` is the event's JSON, an object with `at`. */
  | { kind: 'event'; name: string; data: string };

/** Lines are told no later than this after they were logged. */
const LOG_EVERY_MS = 1_000;
/** A job keeps its last lines; asked for all of them. */
const LOG_LIMIT = '1000';
const RETRY_MS = 1_000;
/** How long the API may be away in between. */
const PATIENCE_MS = 60_000;
const LAST: ReadonlySet<string> = new Set(['completed', 'failed', 'removed']);
/** The server's reasons to end a stream that the client may come back to. */
const RENEWALS: ReadonlySet<string> = new Set(['renewed', 'stopped', 'overflow', 'ended']);

/** True for the event with which a job ends. */
export function isLast(followed: Followed): boolean {
  return followed.kind === 'event' && LAST.has(followed.name);
}

/** Ends with the job's last event, or when `signal` aborts. Rejects when the API refuses, or stays away. */
export async function* follow(api: Api, job: JobAddress, signal: AbortSignal): AsyncGenerator<Followed> {
  const leaving = new AbortController();
  const log = new JobLog(api, job);
  const events = allEvents(api, job, AbortSignal.any([signal, leaving.signal]));
  const nextEvent = () => {
    const next = events.next();
    // Awaited below, maybe later than it is rejected.
    next.catch(() => undefined);
    return next;
  };
  try {
    let isSeen = false;
    let readAt = 0;
    let next = nextEvent();
    for (;;) {
      const result = await soon(next, LOG_EVERY_MS);
      if (result?.done) return;
      const event = result?.value;
      if (event) next = nextEvent();
      if (event?.name === 'open' && !isSeen) {
        isSeen = true;
        yield { kind: 'seen', job: await api.client.getJob({ params: job }) };
      }
      const isEnd = event !== undefined && LAST.has(event.name);
      if (isEnd || performance.now() - readAt >= LOG_EVERY_MS) {
        readAt = performance.now();
        for (const line of await log.read()) yield { kind: 'log', line };
      }
      if (event && event.name !== 'open') yield { kind: 'event', name: event.name, data: event.data };
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    leaving.abort();
    await events.return(undefined);
  }
}

/** All events of a job over as many streams as it takes. */
async function* allEvents(api: Api, job: JobAddress, signal: AbortSignal): AsyncGenerator<ReceivedEvent> {
  let lastEventId: string | undefined;
  let isReached = false;
  let heardAt = performance.now();
  while (!signal.aborted) {
    try {
      for await (const event of api.jobEvents(job, { lastEventId, signal })) {
        isReached = true;
        if (event.id !== '') lastEventId = event.id;
        if (event.name === 'forbidden')
          throw new CommandFailure(`This key may no longer read queue ${job.queue}.`);
        if (RENEWALS.has(event.name)) break;
        if (event.name !== 'open') heardAt = performance.now();
        yield event;
        if (LAST.has(event.name)) return;
      }
      heardAt = performance.now();
    } catch (error) {
      if (signal.aborted) return;
      const isPassing = api.isAway(error) || api.refusal(error)?.status === 503;
      if (!isReached || !isPassing || performance.now() - heardAt > PATIENCE_MS) throw error;
    }
    await wait(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * The lines a job has logged, each told once. It keeps its last lines only, so a place in the list does not stand still:
 * what was told is found again at its beginning.
 */
class JobLog {
  readonly #api: Api;
  readonly #job: JobAddress;
  #told: readonly string[] = [];

  constructor(api: Api, job: JobAddress) {
    this.#api = api;
    this.#job = job;
  }

  /** Empty when the job is gone, or the API is away: whether it comes back is the stream's to say. */
  async read(): Promise<readonly string[]> {
    try {
      const { resource } = await this.#api.client.getJobLogs({
        params: this.#job,
        query: { limit: LOG_LIMIT },
      });
      const lines = behind(this.#told, resource);
      this.#told = resource;
      return lines;
    } catch (error) {
      if (this.#api.refusal(error) || this.#api.isAway(error)) return [];
      throw error;
    }
  }
}

/** Of `now`, what comes after the longest end of `before` that it begins with. */
export function behind(before: readonly string[], now: readonly string[]): readonly string[] {
  for (const start of before.keys()) {
    const shared = before.length - start;
    if (shared <= now.length && before.slice(start).every((line, at) => line === now[at]))
      return now.slice(shared);
  }
  return now;
}

/** What comes within `timeoutMs`, or `undefined`. */
async function soon<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const timer = new AbortController();
  const late = wait(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}
