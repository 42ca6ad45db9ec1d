/**
 * This file owns the round trips of one event-loop turn: all reads of a turn leave as one MGET, all writes as one script
 * call. A lone one waits for nothing but the end of its own turn.
 *
 * In a Cluster one command serves one slot, so both are grouped by slot.
 */
import { Cluster, type RedisClient, type ScriptValue } from '@sluice/redis';
import type { Write } from './driver.ts';
import { writeMany } from './scripts.ts';
import { slotOf } from './slot.ts';

export interface RedisCommand {
  name: string;
  args: (string | number | Buffer)[];
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Keys in one MGET; ElastiCache Serverless refuses more than 3,999 arguments. */
const MAX_MGET_KEYS = 1_000;
const MAX_PIPELINE_COMMANDS = 1_000;
/** Redis serves nobody else meanwhile: 200 entries of a kilobyte take it less than a millisecond. */
const MAX_SCRIPT_WRITES = 200;

export class RedisTurn {
  readonly #client: RedisClient;
  #readKeys: string[] = [];
  #readers: Waiter<Buffer | null>[] = [];
  #writes: Write[] = [];
  #writers: Waiter<unknown>[] = [];

  constructor(client: RedisClient) {
    this.#client = client;
  }

  /** The bytes under `key`, from the turn's MGET. */
  read(key: string): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      if (this.#readKeys.push(key) === 1) setImmediate(this.#sendReads);
      this.#readers.push({ resolve, reject });
    });
  }

  /** What SET answers to this write (its `ifMatch` apart), from the turn's script call. `key` is the Redis key. */
  write(write: Write): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#writes.push(write) === 1) setImmediate(this.#sendWrites);
      this.#writers.push({ resolve, reject });
    });
  }

  /** One MGET now, in the order of `keys`; in a Cluster one for each slot. */
  async readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    if (!(this.#client instanceof Cluster) && keys.length <= MAX_MGET_KEYS) {
      return await this.#client.mgetBuffer(keys as string[]);
    }
    const found: (Buffer | null)[] = new Array(keys.length).fill(null);
    await Promise.all(
      this.#groups(keys, MAX_MGET_KEYS).map(async (positions) => {
        const values = await this.#client.mgetBuffer(positions.map((at) => keys[at] as string));
        for (const [index, at] of positions.entries()) found[at] = values[index] ?? null;
      }),
    );
    return found;
  }

  /** What SET answers to each write, in order; an error in the place of each that failed. */
  async writeMany(writes: readonly Write[]): Promise<unknown[]> {
    if (!(this.#client instanceof Cluster) && writes.length <= MAX_SCRIPT_WRITES)
      return await this.#writeGroup(writes);
    const replies: unknown[] = new Array(writes.length).fill(null);
    const groups = this.#groups(
      writes.map(({ key }) => key),
      MAX_SCRIPT_WRITES,
    );
    await Promise.all(
      groups.map(async (positions) => {
        const group = await this.#writeGroup(positions.map((at) => writes[at] as Write));
        for (const [index, at] of positions.entries()) replies[at] = group[index];
      }),
    );
    return replies;
  }

  /** Replies in the order of `commands`, an error in the place of each that failed. */
  async runMany(commands: readonly RedisCommand[]): Promise<unknown[]> {
    if (this.#client instanceof Cluster) {
      const client = this.#client;
      return await Promise.all(
        commands.map(({ name, args }) => client.call(name, args).catch((error: unknown) => error)),
      );
    }
    const replies: unknown[] = [];
    for (let from = 0; from < commands.length; from += MAX_PIPELINE_COMMANDS) {
      const pipeline = this.#client.pipeline();
      for (const { name, args } of commands.slice(from, from + MAX_PIPELINE_COMMANDS))
        pipeline.call(name, args);
      // ioredis: exec() does not reject for one failed command; each reply comes beside its error.
      for (const [error, reply] of (await pipeline.exec()) ?? []) replies.push(error ?? reply);
    }
    return replies;
  }

  /** One call; its failure as a whole is the failure of each. */
  async #writeGroup(writes: readonly Write[]): Promise<unknown[]> {
    try {
      const [only] = writes;
      if (only && writes.length === 1) return [await this.#client.call('set', setArguments(only))];
      const moreKeys: string[] = [];
      const moreArgs: ScriptValue[] = [];
      for (const { key, bytes, ttlMs, when } of writes) {
        moreKeys.push(key);
        moreArgs.push(bytes, ttlMs === 'keep' ? -1 : (ttlMs ?? 0), when ? MODES[when] : '');
      }
      return (await writeMany.run(this.#client, { keys: {}, args: {}, moreKeys, moreArgs })) as unknown[];
    } catch (error) {
      return writes.map(() => error);
    }
  }

  /** Positions of `keys`, at most `size` in a group, in a Cluster each group of one slot. */
  #groups(keys: readonly string[], size: number): number[][] {
    const groups: number[][] = [];
    const everywhere = [keys.map((_, at) => at)];
    for (const positions of this.#client instanceof Cluster ? positionsBySlot(keys) : everywhere) {
      for (let from = 0; from < positions.length; from += size)
        groups.push(positions.slice(from, from + size));
    }
    return groups;
  }

  readonly #sendReads = (): void => {
    const keys = this.#readKeys;
    const readers = this.#readers;
    this.#readKeys = [];
    this.#readers = [];
    this.readMany(keys).then(
      (values) => {
        for (let at = 0; at < readers.length; at += 1) readers[at]?.resolve(values[at] ?? null);
      },
      (error: unknown) => {
        for (const reader of readers) reader.reject(error);
      },
    );
  };

  readonly #sendWrites = (): void => {
    const writes = this.#writes;
    const writers = this.#writers;
    this.#writes = [];
    this.#writers = [];
    void this.writeMany(writes).then((replies) => {
      for (let at = 0; at < writers.length; at += 1) {
        const reply = replies[at];
        if (reply instanceof Error) writers[at]?.reject(reply);
        else writers[at]?.resolve(reply);
      }
    });
  };
}

const MODES = { absent: 'NX', present: 'XX' } as const;

function setArguments({ key, bytes, ttlMs, when }: Write): RedisCommand['args'] {
  const args: RedisCommand['args'] = [key, bytes];
  if (ttlMs === 'keep') args.push('KEEPTTL');
  else if (ttlMs !== null) args.push('PX', ttlMs);
  if (when) args.push(MODES[when]);
  return args;
}

/** Positions of `keys`, grouped by the slot each key is in. */
export function positionsBySlot(keys: readonly string[]): Iterable<number[]> {
  const bySlot = new Map<number, number[]>();
  for (const [at, key] of keys.entries()) {
    const slot = slotOf(key);
    const positions = bySlot.get(slot);
    if (positions) positions.push(at);
    else bySlot.set(slot, [at]);
  }
  return bySlot.values();
}
