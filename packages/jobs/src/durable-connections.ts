/** This file owns the connections on which jobs are written that must be proven: each for one write at a time, as it stands still until the proof is there. */
import { masterOf, type RedisClient, untilReady } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { JobsErrorCode } from './schemas.ts';

/** Four flights of each durability, to each master. */
const MAX_CONNECTIONS = 12;
/** Of a connection's first opening; a request has less than two seconds in all. */
const OPENING_MS = 1_000;

/** A client of a Cluster has a connection to each master, and stands still on one of them at a time. */
interface Opened {
  client: RedisClient;
  /** Where it is lent, by master; `undefined` is the only Redis, or a master not known yet. */
  lentAt: Set<string | undefined>;
  /** It serves, or has had its time for that. */
  isOpen: boolean;
}

export class DurableConnections {
  readonly #client: RedisClient;
  readonly #open: (() => RedisClient) | undefined;
  /** The last to come back first. */
  #opened: Opened[] = [];

  /**
   * `open` makes a client of profile `proof` that nobody else uses and that stays the caller's to close; without it nothing
   * can be proven here. `client` is asked which master has a key.
   */
  constructor({ client, open }: { client: RedisClient; open: (() => RedisClient) | undefined }) {
    this.#client = client;
    this.#open = open;
  }

  /** False where nobody waits for proof: jobs go in as if their queues had no durability, and are told to be so. */
  get arePossible(): boolean {
    return this.#open !== undefined;
  }

  /**
   * Lends a connection to the master of `key` to `work`. Codes: `durability_unavailable`, `overloaded` when all to that master
   * are lent. Rejects as `work` does.
   */
  async use<T>(key: string, work: (client: RedisClient) => Promise<T>): Promise<T> {
    const master = masterOf(this.#client, key);
    const lent = this.#lend(master) ?? (await this.#opening(master));
    try {
      return await work(lent.client);
    } finally {
      lent.lentAt.delete(master);
      this.#opened = [lent, ...this.#opened.filter((each) => each !== lent)];
    }
  }

  #lend(master: string | undefined): Opened | undefined {
    const free = this.#opened.find(({ isOpen, lentAt }) => isOpen && !lentAt.has(master));
    free?.lentAt.add(master);
    return free;
  }

  async #opening(master: string | undefined): Promise<Opened> {
    if (!this.#open) {
      throw new DomainError<JobsErrorCode>(
        'durability_unavailable',
        'This process has no connections to prove writes on.',
        { details: { outcome: 'not_attempted' } },
      );
    }
    if (this.#opened.length >= MAX_CONNECTIONS) {
      const message = `All ${MAX_CONNECTIONS} connections that prove writes are in use.`;
      throw new DomainError<JobsErrorCode>('overloaded', message, { details: { outcome: 'not_attempted' } });
    }
    const made: Opened = { client: this.#open(), lentAt: new Set([master]), isOpen: false };
    this.#opened = [...this.#opened, made];
    const isReady = await untilReady(made.client, OPENING_MS).then(
      () => true,
      () => false,
    );
    made.isOpen = true;
    // One that serves and came back meanwhile goes first; else the new one says itself why it does not.
    const returned = isReady ? undefined : this.#lend(master);
    if (!returned) return made;
    made.lentAt.delete(master);
    return returned;
  }
}
