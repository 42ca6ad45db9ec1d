/** This file owns leases in Redis: each step one script over the entry and its lease. */
import type { RedisClient } from '@sluice/redis';
import type { LeaseState, LeaseStore, StoredInput } from './driver.ts';
import type { CacheKeys } from './keys.ts';
import { fill, lease, release, renew } from './scripts.ts';

export class RedisLeases implements LeaseStore {
  readonly #client: RedisClient;
  readonly #keys: CacheKeys;

  constructor(options: { client: RedisClient; keys: CacheKeys }) {
    this.#client = options.client;
    this.#keys = options.keys;
  }

  async take(
    key: string,
    { token, ttlMs, note }: { token: string; ttlMs: number; note: string },
  ): Promise<{ state: LeaseState; leftMs: number }> {
    const input = { keys: this.#pair(key), args: { token, ttl: ttlMs, note } };
    const [state, leftMs] = (await lease.run(this.#client, input)) as [LeaseState, number];
    return { state, leftMs };
  }

  async renew(key: string, token: string, ttlMs: number): Promise<boolean> {
    const input = { keys: { lease: this.#pair(key).lease }, args: { token, ttl: ttlMs } };
    return (await renew.run(this.#client, input)) === 1;
  }

  async note(key: string, token: string): Promise<string | undefined> {
    const state = await this.#client.get(this.#pair(key).lease);
    const head = `held ${token} `;
    if (!state?.startsWith(head)) return undefined;
    return state.slice(state.indexOf(' ', head.length) + 1);
  }

  async fill(
    key: string,
    token: string,
    bytes: StoredInput,
    ttlMs: number | null,
  ): Promise<'filled' | 'lost' | 'superseded'> {
    const input = { keys: this.#pair(key), args: { token, value: bytes, ttl: ttlMs ?? 0 } };
    return (await fill.run(this.#client, input)) as 'filled' | 'lost' | 'superseded';
  }

  async release(
    key: string,
    token: string,
    word: 'none' | 'cooling' | 'missing',
    ttlMs: number,
  ): Promise<boolean> {
    const input = { keys: this.#pair(key), args: { token, word, ttl: ttlMs } };
    return (await release.run(this.#client, input)) === 1;
  }

  #pair(key: string): { entry: string; lease: string } {
    const entry = this.#keys.entryPrefix + key;
    return { entry, lease: this.#keys.lease(entry) };
  }
}
