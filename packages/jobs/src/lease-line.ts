/**
 * This file owns the line of those who wait for jobs of one queue in this process: first come, first served, and one
 * listener to the queue's events for all of them.
 *
 *   ask for the first in line -> jobs: they are his; ask for the next ones, more of them at a time
 *                             -> none: listen, look once more, then wait for an event, a delayed job's time, the rate's end
 *   out of time, Redis away, process stopping -> an empty answer          client gone -> what came for it is given back
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '@sluice/runtime';
import type { EventReader, Listening, StreamEvent } from './event-reader.ts';
import type { TakenLease, Taking, WantedLeases } from './lease-taking.ts';

export interface LeaseLineOptions {
  eventsKey: string;
  events: Pick<EventReader, 'listen'>;
  clock: Clock;
  take: (wanted: WantedLeases) => Promise<Taking>;
  giveBack: (leases: readonly TakenLease[]) => Promise<void>;
  /** Nobody has waited for a while. */
  onIdle: () => void;
}

interface Waiting {
  readonly wanted: WantedLeases;
  readonly waitMs: number;
  /** Whether it has been told of an empty queue, so that an empty answer is no lie. */
  hasWaited: boolean;
  isOver: boolean;
  answer(leases: TakenLease[]): void;
  refuse(error: unknown): void;
}

/** Asked for at the same time, when jobs keep coming. */
const MAX_APPETITE = 16;
/** For what no event tells of: a limit that was raised. */
const LOOK_AGAIN_MS = 1_000;
/** Between two looks at an empty queue whose events keep coming: other workers are faster. */
const DRY_PAUSE_MS = 5;
/** Kept listening after the last one has gone, since most come back at once. */
const LINGER_MS = 1_000;

/** After these there may be a job where there was none. */
const WAKING: ReadonlySet<string> = new Set(['waiting', 'delayed', 'resumed']);
/** After these a queue that may not have more jobs at work may have one more. */
const FREEING: ReadonlySet<string> = new Set(['completed', 'failed']);

export class LeaseLine {
  readonly #options: LeaseLineOptions;
  /** The one who came first, first. */
  readonly #waiting: Waiting[] = [];
  #isLooking = false;
  /** Something may have come since the look under way began. */
  #isTold = false;
  #appetite = 1;
  #isHeld = false;
  #listening: Listening | undefined;
  #alarm: NodeJS.Timeout | undefined;

  constructor(options: LeaseLineOptions) {
    this.#options = options;
  }

  /** Resolves with at least one lease, or with none when there was nothing within `waitMs`. Rejects as ioredis does at the first look only. */
  take(wanted: WantedLeases, waitMs: number, signal: AbortSignal | undefined): Promise<TakenLease[]> {
    return new Promise((resolve, reject) => {
      const timer = waitMs > 0 ? setTimeout(() => request.answer([]), waitMs) : undefined;
      const end = () => {
        request.isOver = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        const at = this.#waiting.indexOf(request);
        if (at >= 0) this.#waiting.splice(at, 1);
      };
      const request: Waiting = {
        wanted,
        waitMs,
        hasWaited: false,
        isOver: false,
        answer: (leases) => {
          end();
          resolve(leases);
        },
        refuse: (error) => {
          end();
          reject(error);
        },
      };
      const onAbort = () => request.answer([]);
      if (signal?.aborted) return resolve([]);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(request);
      this.#look();
    });
  }

  /** Everybody gets an empty answer now. */
  end(): void {
    for (const request of [...this.#waiting]) request.answer([]);
    this.#stopListening();
    if (!this.#isLooking) this.#setAlarm(LOOK_AGAIN_MS);
  }

  #look(): void {
    this.#isTold = true;
    if (!this.#isLooking) void this.#lookWhileTold();
  }

  async #lookWhileTold(): Promise<void> {
    this.#isLooking = true;
    clearTimeout(this.#alarm);
    let nextLookMs = LOOK_AGAIN_MS;
    while (this.#isTold && this.#waiting.length > 0) {
      this.#isTold = false;
      const wasListening = this.#listening !== undefined;
      const dry = await this.#round();
      if (!dry) {
        this.#isTold = true;
        continue;
      }
      nextLookMs = dry.nextLookMs;
      if (this.#waiting.length === 0) break;
      if (!wasListening) await this.#listen();
      else if (this.#isTold) await sleep(DRY_PAUSE_MS);
    }
    this.#isLooking = false;
    this.#setAlarm(nextLookMs);
  }

  #setAlarm(nextLookMs: number): void {
    clearTimeout(this.#alarm);
    const wake = () => (this.#waiting.length > 0 ? this.#look() : this.#idle());
    this.#alarm = setTimeout(wake, this.#waiting.length > 0 ? nextLookMs : LINGER_MS).unref();
  }

  /** Asks for those in front. `undefined` when all of them got jobs, else how long there may be none. */
  async #round(): Promise<{ nextLookMs: number } | undefined> {
    const asked = this.#waiting.slice(0, this.#appetite);
    const takings = await Promise.allSettled(asked.map(({ wanted }) => this.#options.take(wanted)));
    let dry: Taking | undefined;
    for (const [index, taking] of takings.entries()) {
      const request = asked[index] as Waiting;
      if (taking.status === 'rejected') {
        this.#fail(request, taking.reason);
        dry ??= NOTHING;
        continue;
      }
      const { leases } = taking.value;
      if (leases.length === 0) dry = taking.value;
      else if (request.isOver) this.#giveBack(leases);
      else request.answer(leases);
    }
    this.#appetite = dry ? 1 : Math.min(this.#appetite * 2, MAX_APPETITE);
    if (!dry) return undefined;
    this.#isHeld = dry.isHeld;
    for (const request of [...this.#waiting]) {
      request.hasWaited = true;
      if (request.waitMs === 0) request.answer([]);
    }
    return { nextLookMs: this.#nextLookMs(dry) };
  }

  #nextLookMs({ dueAt, limitedMs }: Taking): number {
    const untilDueMs = dueAt > 0 ? Math.max(0, dueAt - this.#options.clock.now()) : LOOK_AGAIN_MS;
    return Math.min(LOOK_AGAIN_MS, limitedMs > 0 ? limitedMs + 1 : untilDueMs);
  }

  /** Redis is away: whoever asked for the first time hears of it, the others have waited in vain. */
  #fail(failed: Waiting, error: unknown): void {
    for (const request of [failed, ...this.#waiting]) {
      if (request.isOver) continue;
      if (request.hasWaited) request.answer([]);
      else request.refuse(error);
    }
  }

  #giveBack(leases: readonly TakenLease[]): void {
    // Redis away just now: they are handed out again when their locks are lost.
    this.#options.giveBack(leases).catch(() => undefined);
  }

  async #listen(): Promise<void> {
    try {
      this.#listening = await this.#options.events.listen(this.#options.eventsKey, {
        onEvent: (event) => this.#heed(event),
        onGap: () => this.#look(),
        onInterrupt: () => this.end(),
      });
      // What came before anybody listened was told to nobody.
      this.#isTold = true;
    } catch {
      for (const request of [...this.#waiting]) request.answer([]);
    }
  }

  #heed({ fields: { event = '' } }: StreamEvent): void {
    if (WAKING.has(event) || (this.#isHeld && FREEING.has(event))) this.#look();
  }

  #stopListening(): void {
    this.#listening?.stop();
    this.#listening = undefined;
  }

  #idle(): void {
    this.#stopListening();
    this.#options.onIdle();
  }
}

const NOTHING: Taking = { leases: [], isHeld: false, limitedMs: 0, dueAt: 0 };
