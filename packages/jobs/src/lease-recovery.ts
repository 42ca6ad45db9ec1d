/**
 * This file owns leases that run out: every few seconds it looks at those of all queues that have some, whoever took them
 * and whether he still lives, and at the locks of BullMQ's own workers there.
 *
 *   lock gone -> handed out again, counted as a lost delivery; at most `maxDeliveries` of them, then it fails with a reason
 *             -> out of its attempt's time: a failed attempt    -> somebody asked it to stop: cancelled
 *
 * A lost lease is found within one interval. Any process may look at any queue: what it does is one script, and the jobs it
 * takes over are locked like any other.
 */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import type { Clock } from '@sluice/runtime';
import { type Decision, decide } from './decision.ts';
import { readFailure } from './failure.ts';
import { leasedQueues, leaseKeys } from './keys.ts';
import type { LeaseSettler } from './lease-settling.ts';
import { newLockToken } from './lease-token.ts';
import type { OpenQueue, Queues } from './queues.ts';
import { recoverLeases } from './scripts.ts';
import { countStalled } from './stalled.ts';

/** Queues in one page of the register, pages of one round (a queue that moves meanwhile has its turn in the next), and queues looked at side by side. */
const PAGE_QUEUES = 1_000;
const MAX_PAGES = 20;
const SIDE_BY_SIDE = 16;
/** Leases looked at in one call, and calls for one queue in one round. */
const MAX_LEASES_A_CALL = 500;
const MAX_CALLS = 20;
/** Leases that end before so many more rounds are kept from BullMQ's look: one would do, were timers exact. */
const ROUNDS_AHEAD = 2;
/** For ending a job that was taken over. */
const HOLD_MS = 10_000;
/** A queue without leases is looked at this long after the last one. */
const FORGET_MS = 600_000;

export interface LeaseRecoveryOptions {
  client: RedisClient;
  keyspace: Keyspace;
  queues: Queues;
  settler: LeaseSettler;
  clock: Clock;
  checkMs: number;
  maxDeliveries: number;
}

export class LeaseRecovery {
  readonly #options: LeaseRecoveryOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LeaseRecoveryOptions) {
    this.#options = options;
  }

  /** Looks at once, then in each interval. Twice is once. */
  start(): void {
    if (this.#timer) return;
    const look = () => {
      // Redis away: what is to be recovered is still there in the next round.
      this.#running ??= this.look()
        .catch(() => undefined)
        .finally(() => {
          this.#running = undefined;
        });
    };
    this.#timer = setInterval(look, this.#options.checkMs).unref();
    look();
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** One round. Rejects as ioredis does. */
  async look(): Promise<void> {
    const { client, keyspace } = this.#options;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const from = page * PAGE_QUEUES;
      const found = await client.zrange(
        leasedQueues(keyspace),
        String(from),
        String(from + PAGE_QUEUES - 1),
        'WITHSCORES',
      );
      for (let at = 0; at < found.length; at += 2 * SIDE_BY_SIDE) {
        const some = found.slice(at, at + 2 * SIDE_BY_SIDE);
        await Promise.all(
          some.flatMap((name, index) => (index % 2 === 0 ? this.#lookAt(name, Number(some[index + 1])) : [])),
        );
      }
      if (found.length < 2 * PAGE_QUEUES) return;
    }
  }

  async #lookAt(name: string, touchedAt: number): Promise<void> {
    const { client, keyspace, queues, clock } = this.#options;
    const key = leasedQueues(keyspace);
    if (await this.#recover(queues.open(name))) await client.zadd(key, clock.now(), name);
    else if (clock.now() - touchedAt > FORGET_MS) await client.zrem(key, name);
  }

  /** Whether the queue has leases left, or jobs of BullMQ's own workers. */
  async #recover(queue: OpenQueue): Promise<boolean> {
    const { client, maxDeliveries, checkMs } = this.#options;
    const keys = leaseKeys(queue.keys);
    // BullMQ's look would leave its settings behind for a queue that somebody only asked for.
    if ((await client.exists(keys.leases, keys.active)) === 0) return false;
    const backend = await queue.backend();
    for (let call = 1; call <= MAX_CALLS; call += 1) {
      const token = newLockToken();
      const recovering = recoverLeases.run(client, {
        keys,
        args: {
          limit: MAX_LEASES_A_CALL,
          max_lost: maxDeliveries,
          token,
          hold_ms: HOLD_MS,
          soon_ms: ROUNDS_AHEAD * checkMs,
        },
      }) as Promise<[string[], TakenOver[], number]>;
      const checking = call === 1 ? backend.checkStalled(checkMs) : undefined;
      const [[recovered, takenOver, lookedAt], stalled] = await Promise.all([recovering, checking]);
      const lost = recovered.length + (stalled?.length ?? 0);
      if (lost > 0) await countStalled(client, queue.keys, lost);
      await Promise.all(takenOver.map((job) => this.#end(queue, job, token)));
      if (lookedAt < MAX_LEASES_A_CALL) break;
    }
    return true;
  }

  async #end(queue: OpenQueue, [id, lost, untilMs, deferred]: TakenOver, token: string): Promise<void> {
    const { settler } = this.#options;
    const found = await settler.find(queue, id, token);
    // When it took longer than we held it, the next round finds it again.
    if (found) await settler.endIfHeld(queue, found.job, decisionOf(lost, untilMs, deferred));
  }
}

type TakenOver = [id: string, lost: number, untilMs: string | null, deferredFailure: string | null];

function decisionOf(lost: number, untilMs: string | null, deferred: string | null): Decision {
  if (deferred != null) return { kind: 'fail', failure: readFailure(deferred), error: undefined };
  if (untilMs != null)
    return decide('timeout', `the attempt was not over by ${new Date(Number(untilMs)).toISOString()}`);
  return decide('max_deliveries', `delivered ${lost} times without an outcome`);
}
