/** This file owns the gathering: the steps of one event-loop turn go to Redis together and are answered within a deadline. */
import { Cluster, type RedisClient, redisFault } from '@sluice/redis';
import { type Clock, DeadlineError, type Log } from '@sluice/runtime';
import { Outage } from './outage.ts';
import { decideLimits } from './scripts.ts';
import { type Answer, readAnswers, type Step, writeSteps } from './steps.ts';

/** Redis is busy for 2 ms with so many; more go in another call. */
const MAX_CHECKS_PER_CALL = 256;

export interface TurnOptions {
  redis: RedisClient;
  clock: Clock;
  deadlineMs: number;
  log?: Log | undefined;
  /** Tests set the time of Redis by it. */
  serverNowMs?: (() => number) | undefined;
}

interface Waiting {
  step: Step;
  resolve(answer: Answer | 'away'): void;
  reject(error: unknown): void;
}

export class Turn {
  readonly #options: TurnOptions;
  readonly #isCluster: boolean;
  readonly #outage: Outage;
  #waiting: Waiting[] = [];

  constructor(options: TurnOptions) {
    const { redis, clock, log } = options;
    this.#options = options;
    this.#isCluster = redis instanceof Cluster;
    this.#outage = new Outage({
      clock,
      onChange: (isAway) =>
        isAway ? log?.warn('limits decided without redis') : log?.info('limits decided by redis again'),
    });
  }

  get isAway(): boolean {
    return this.#outage.isAway;
  }

  /**
   * Redis' answer to a step whose checks lie in one slot; `away` when it cannot be had within the deadline. A step
   * that was sent and not answered may still be done. Rejects when the script itself fails.
   */
  ask(step: Step): Promise<Answer | 'away'> {
    return new Promise((resolve, reject) => {
      // The check phase comes after the sockets were read: all requests that arrived together are in.
      if (this.#waiting.length === 0) setImmediate(() => this.#send());
      this.#waiting.push({ step, resolve, reject });
    });
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!this.#isCluster) {
      for (const call of inCalls(waiting)) void this.#call(call);
      return;
    }
    const byTag = new Map<string, Waiting[]>();
    for (const each of waiting) {
      const tag = each.step.checks[0]?.subject.tag ?? '';
      const group = byTag.get(tag);
      if (group) group.push(each);
      else byTag.set(tag, [each]);
    }
    for (const group of byTag.values()) {
      for (const call of inCalls(group)) void this.#call(call);
    }
  }

  /** Settles everyone in `call`; never rejects. */
  async #call(call: readonly Waiting[]): Promise<void> {
    const { redis, deadlineMs, serverNowMs } = this.#options;
    // In a Cluster one master may be away and the others not: each call finds out for itself.
    if (!this.#isCluster && !this.#outage.mayAsk()) {
      for (const { resolve } of call) resolve('away');
      return;
    }
    const steps = call.map(({ step }) => step);
    try {
      const reply = await answeredWithin(
        decideLimits.run(redis, writeSteps(steps, serverNowMs?.())),
        deadlineMs,
      );
      const answers = readAnswers(steps, reply);
      call.forEach(({ resolve }, i) => {
        resolve(answers[i] as Answer);
      });
      this.#outage.answered();
    } catch (error) {
      const fault = redisFault(error);
      if (fault) this.#outage.failed();
      else this.#outage.answered();
      for (const { resolve, reject } of call) {
        if (fault) resolve('away');
        else reject(error);
      }
    }
  }
}

function* inCalls(waiting: readonly Waiting[]): Generator<readonly Waiting[]> {
  let from = 0;
  let checks = 0;
  for (const [i, { step }] of waiting.entries()) {
    if (checks > 0 && checks + step.checks.length > MAX_CHECKS_PER_CALL) {
      yield waiting.slice(from, i);
      from = i;
      checks = 0;
    }
    checks += step.checks.length;
  }
  yield from === 0 ? waiting : waiting.slice(from);
}

/** Like `within`, but a process that was busy for so long itself first reads what has arrived meanwhile. */
function answeredWithin<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(new DeadlineError(timeoutMs))), timeoutMs);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
