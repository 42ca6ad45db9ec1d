/** This file owns records in a hash of Redis that are read, changed and written again without losing another writer's change. */
import type { RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { DeliveryErrorCode } from './schemas.ts';
import { swapRecord } from './scripts.ts';

/** Writers of one record are people; more than this in a row did not meet by chance. */
const MAX_TRIES = 10;

export interface RecordsOptions {
  client: RedisClient;
  key: string;
  max: number;
  fullCode: DeliveryErrorCode;
}

export class Records<T> {
  readonly #options: RecordsOptions;

  constructor(options: RecordsOptions) {
    this.#options = options;
  }

  async get(name: string): Promise<T | undefined> {
    const { client, key } = this.#options;
    return parsed<T>(await client.hget(key, name));
  }

  /** In the order of `names`. */
  async getMany(names: readonly string[]): Promise<(T | undefined)[]> {
    if (names.length === 0) return [];
    const { client, key } = this.#options;
    return (await client.hmget(key, ...names)).map((text) => parsed<T>(text));
  }

  /** Sorted. */
  async names(): Promise<string[]> {
    const { client, key } = this.#options;
    return (await client.hkeys(key)).sort();
  }

  /** At most `limit`, by name, after `after`. */
  async page({ limit, after = '' }: { limit: number; after?: string | undefined }): Promise<[string, T][]> {
    const names = (await this.names()).filter((name) => name > after).slice(0, limit);
    const records = await this.getMany(names);
    return names.flatMap((name, at) => {
      const record = records[at];
      return record === undefined ? [] : [[name, record] as [string, T]];
    });
  }

  /**
   * Writes what `change` makes of the record, `undefined` to remove it; `change` may be called again with a newer one.
   * What it throws comes through. Codes: `delivery_conflict`, and the one for too many records.
   */
  async change(name: string, change: (before: T | undefined) => T | undefined): Promise<T | undefined> {
    const { client, key, max, fullCode } = this.#options;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const before = await client.hget(key, name);
      const after = change(parsed<T>(before));
      const reply = await swapRecord.run(client, {
        keys: { records: key },
        args: {
          name,
          before: before ?? '',
          after: after === undefined ? '' : JSON.stringify(after),
          max,
        },
      });
      if (reply === 1) return after;
      if (reply === -1)
        throw new DomainError<DeliveryErrorCode>(fullCode, `there are ${max} already, which is the most`);
    }
    throw new DomainError<DeliveryErrorCode>(
      'delivery_conflict',
      `'${name}' was written by somebody else ${MAX_TRIES} times meanwhile`,
    );
  }
}

function parsed<T>(text: string | null | undefined): T | undefined {
  return text === null || text === undefined ? undefined : (JSON.parse(text) as T);
}
