/** This file owns tags in Redis: one key a tag, which is gone when no entry can bear it any more. */
import { randomBytes } from 'node:crypto';
import type { RedisClient } from '@sluice/redis';
import type { TagStore } from './driver.ts';
import type { RedisTurn } from './redis-turn.ts';
import { openTag } from './scripts.ts';

/** Enough that a purged generation never comes back. */
const GENERATION_BYTES = 12;

export class RedisTags implements TagStore {
  readonly #client: RedisClient;
  readonly #turn: RedisTurn;
  readonly #root: string;

  constructor(options: { client: RedisClient; turn: RedisTurn; root: string }) {
    this.#client = options.client;
    this.#turn = options.turn;
    this.#root = options.root;
  }

  async open(tags: readonly string[], ttlMs: number): Promise<string[]> {
    const candidate = randomBytes(GENERATION_BYTES).toString('base64url');
    const opened = tags.map((tag) =>
      openTag.run(this.#client, { keys: { tag: this.#root + tag }, args: { candidate, ttl: ttlMs } }),
    );
    return (await Promise.all(opened)) as string[];
  }

  async read(tags: readonly string[]): Promise<(string | undefined)[]> {
    const generations = await this.#turn.readMany(tags.map((tag) => this.#root + tag));
    return generations.map((generation) => generation?.toString());
  }

  async close(tags: readonly string[]): Promise<number> {
    const replies = await this.#turn.runMany(
      tags.map((tag) => ({ name: 'unlink', args: [this.#root + tag] })),
    );
    let closed = 0;
    for (const reply of replies) {
      if (reply instanceof Error) throw reply;
      closed += reply as number;
    }
    return closed;
  }
}
