/**
 * This file owns how many requests go to one host at the same time, and whether it is tried at all: places with a lease
 * each, so that a worker that dies gives its own back, and a circuit breaker; both over all workers, by Redis' own time.
 *
 *   closed -- 5 requests in a row without an answer --> open, 5 s
 *   open   -- its time is over: one request --> answered: closed · no answer: open, twice as long, 60 s at most
 */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type DeliveryKeys, deliveryKeys } from './keys.ts';
import { leavePlace, takePlace } from './scripts.ts';

/**
 * - `taken` until `leave`, or until the lease has ended
 * - `busy` as many requests as may be are under way
 * - `down` the host does not answer, for `downForMs` by now
 */
export type Place =
  | { kind: 'taken' }
  | { kind: 'busy'; waitMs: number }
  | { kind: 'down'; waitMs: number; downForMs: number };

/** `unknown`: the request was given up before it could tell. */
export type Contact = 'answered' | 'silent' | 'unknown';

const KEEP_MS = 600_000;
/** Beyond the day for which deliveries wait for a host. */
const KEEP_DOWN_MS = 48 * 3_600_000;

export class Hosts {
  readonly #client: RedisClient;
  readonly #keys: DeliveryKeys;

  constructor(options: { client: RedisClient; keys: Keyspace }) {
    this.#client = options.client;
    this.#keys = deliveryKeys(options.keys);
  }

  /** `host` with its port; `lease` is unique; `waitMs` of a refusal says when to ask again. */
  async take(
    host: string,
    { lease, limit, leaseMs }: { lease: string; limit: number; leaseMs: number },
  ): Promise<Place> {
    const [code, waitMs, downForMs] = (await takePlace.run(this.#client, {
      keys: this.#keys.host(host),
      args: { lease, limit, lease_ms: leaseMs, keep_ms: KEEP_MS },
    })) as [number, number, number];
    if (code === 1) return { kind: 'taken' };
    return code === 0 ? { kind: 'busy', waitMs } : { kind: 'down', waitMs, downForMs };
  }

  async leave(
    host: string,
    { lease, contact, tookMs }: { lease: string; contact: Contact; tookMs: number },
  ): Promise<void> {
    await leavePlace.run(this.#client, {
      keys: this.#keys.host(host),
      args: {
        lease,
        outcome: contact,
        took_ms: Math.round(tookMs),
        keep_ms: KEEP_MS,
        keep_down_ms: KEEP_DOWN_MS,
      },
    });
  }
}
