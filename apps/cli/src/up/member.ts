/**
 * This file owns keeping one part of `sluice up` alive.
 *
 *   start -> running -> ended by itself -> told, with its last lines -> wait 0.5 s, 1 s, 2 s ... -> start
 *        \-> ended before it was ready, the first time: `start()` rejects
 *
 * A part that ends `MAX_ENDS` times within a minute is given up, and with it the whole: somebody has to look.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Service } from '@sluice/runtime';

export interface MemberEnd {
  /** `status 1`, `signal SIGKILL`. */
  reason: string;
  /** Oldest first. */
  lastLines: readonly string[];
}

export interface MemberRun {
  /** Settles when it has ended, asked or not. */
  ended: Promise<MemberEnd>;
  /** Asks it to end; at the deadline it is made to. Resolves when it has. */
  stop(deadline: AbortSignal): Promise<void>;
}

const MAX_ENDS = 5;
const ENDS_WINDOW_MS = 60_000;
const DEFAULT_FIRST_DELAY_MS = 500;

export class Member implements Service {
  readonly name: string;
  /** Rejects when the part has been given up; never resolves. */
  readonly givenUp: Promise<never>;
  readonly #run: () => Promise<MemberRun>;
  readonly #tell: (what: string, lines: readonly string[]) => void;
  readonly #firstDelayMs: number;
  readonly #stopping = new AbortController();
  #current: MemberRun | undefined;
  #deadline: AbortSignal | undefined;
  #kept: Promise<void> = Promise.resolve();
  #giveUp: (error: Error) => void = () => undefined;

  /** `run` starts the part and resolves when it is ready. `tell` shows a sentence, and the part's own lines below it. */
  constructor(options: {
    name: string;
    run: () => Promise<MemberRun>;
    tell: (what: string, lines: readonly string[]) => void;
    /** Before the first start again, doubled each time after; default 500. */
    firstDelayMs?: number;
  }) {
    this.name = options.name;
    this.#run = options.run;
    this.#tell = options.tell;
    this.#firstDelayMs = options.firstDelayMs ?? DEFAULT_FIRST_DELAY_MS;
    this.givenUp = new Promise((_, reject) => {
      this.#giveUp = reject;
    });
    // Whoever waits for it gets the rejection; nobody may wait yet.
    this.givenUp.catch(() => undefined);
  }

  async start(): Promise<void> {
    this.#current = await this.#run();
    this.#kept = this.#keep(this.#current);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#deadline = deadline;
    this.#stopping.abort();
    await this.#current?.stop(deadline);
    await this.#kept;
  }

  async #keep(first: MemberRun): Promise<void> {
    let run: MemberRun | undefined = first;
    const endedAt: number[] = [];
    while (!this.#stopping.signal.aborted) {
      const end = run ? await run.ended : undefined;
      if (this.#stopping.signal.aborted) return;
      const now = performance.now();
      endedAt.push(now);
      const recent = endedAt.filter((at) => now - at < ENDS_WINDOW_MS).length;
      const isGivenUp = recent >= MAX_ENDS;
      const delayMs = this.#firstDelayMs * 2 ** (recent - 1);
      if (end) {
        const next = isGivenUp ? 'not started again' : `started again in ${delayMs / 1_000} s`;
        this.#tell(`${this.name} ended with ${end.reason}; ${next}`, end.lastLines);
      }
      if (isGivenUp) {
        this.#giveUp(new Error(`${this.name} ended ${recent} times within a minute`));
        return;
      }
      await wait(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      if (this.#stopping.signal.aborted) return;
      run = await this.#startAgain();
      // Asked to stop while it was starting: `stop` has seen the one before it.
      if (this.#deadline) await run?.stop(this.#deadline);
    }
  }

  async #startAgain(): Promise<MemberRun | undefined> {
    try {
      this.#current = await this.#run();
      return this.#current;
    } catch (error) {
      this.#tell(`${this.name} did not start: ${(error as Error).message}`, []);
      return undefined;
    }
  }
}
