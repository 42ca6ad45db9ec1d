/** This file owns the connections on which jobs are written that must be proven: each for one write at a time, as it stands still until the proof is there. */
import { type RedisClient, untilReady } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { JobsErrorCode } from './schemas.ts';

/** Four flights of each durability. */
const MAX_CONNECTIONS = 12;
/** Of a connection's first opening; a request has less than two seconds in all. */
const OPENING_MS = 1_000;

export class DurableConnections {
  readonly #open: (() => RedisClient) | undefined;
  readonly #idle: RedisClient[] = [];
  #opened = 0;

  /** `open` makes a client of profile `proof` that nobody else uses and that stays the caller's to close; without it nothing can be proven here. */
  constructor(open: (() => RedisClient) | undefined) {
    this.#open = open;
  }

  /** False where nobody waits for proof: jobs go in as if their queues had no durability, and are told to be so. */
  get arePossible(): boolean {
    return this.#open !== undefined;
  }

  /** Lends a connection to `work`. Codes: `durability_unavailable`, `overloaded` when all are lent. Rejects as `work` does. */
  async use<T>(work: (client: RedisClient) => Promise<T>): Promise<T> {
    const client = this.#idle.pop() ?? (await this.#opening());
    try {
      return await work(client);
    } finally {
      this.#idle.push(client);
    }
  }

  async #opening(): Promise<RedisClient> {
    if (!this.#open) {
      throw new DomainError<JobsErrorCode>(
        'durability_unavailable',
        'This process has no connections to prove writes on.',
        { details: { outcome: 'not_attempted' } },
      );
    }
    if (this.#opened >= MAX_CONNECTIONS) {
      const message = `All ${MAX_CONNECTIONS} connections that prove writes are in use.`;
      throw new DomainError<JobsErrorCode>('overloaded', message, { details: { outcome: 'not_attempted' } });
    }
    this.#opened += 1;
    const client = this.#open();
    const isReady = await untilReady(client, OPENING_MS).then(
      () => true,
      () => false,
    );
    // One that serves and came back meanwhile goes first; else the new one says itself why it does not.
    const returned = isReady ? undefined : this.#idle.pop();
    if (!returned) return client;
    this.#idle.unshift(client);
    return returned;
  }
}
