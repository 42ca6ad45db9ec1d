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
  opening: Promise<void>;
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
    const lent = this.#lend(master) ?? (await this.#openFor(master));
    try {
      return await work(lent.client);
    } finally {
      lent.lentAt.delete(master);
      this.#opened = [lent, ...this.#opened.filter((each) => each !== lent)];
    }
  }

  #lend(master: string | undefined): Opened | undefined {
    const open = this.#opened.filter(({ isOpen, lentAt }) => isOpen && !lentAt.has(master));
    // One that does not serve is left alone while others do: it would be back first, having failed first.
    const free = open.find(({ client }) => client.status === 'ready') ?? open[0];
    free?.lentAt.add(master);
    return free;
  }

  async #openFor(master: string | undefined): Promise<Opened> {
    // What is being opened for one master will serve another as well.
    const made = this.#opened.find(({ lentAt }) => !lentAt.has(master)) ?? this.#make();
    made.lentAt.add(master);
    await made.opening;
    if (made.client.status === 'ready') return made;
    // One that serves and came back meanwhile goes first; else the new one says itself why it does not.
    const returned = this.#lend(master);
    if (!returned) return made;
    made.lentAt.delete(master);
    return returned;
  }

  #make(): Opened {
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
    const client = this.#open();
    const made: Opened = {
      ...{ client, lentAt: new Set(), isOpen: false },
      opening: untilReady(client, OPENING_MS)
        .catch(() => undefined)
        .then(() => {
          made.isOpen = true;
        }),
    };
    this.#opened = [...this.#opened, made];
    return made;
  }
}
