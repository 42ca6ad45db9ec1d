/**
 * This file owns the round trips of one event-loop turn: all reads of a turn leave as one MGET, all commands of a turn
 * as one pipeline. A lone read waits for nothing but the end of its own turn.
 *
 * In a Cluster one command serves one slot, so reads are grouped by slot and commands go out one by one.
 */
import { Cluster, type RedisClient } from '@sluice/redis';
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

export class RedisTurn {
  readonly #client: RedisClient;
  #readKeys: string[] = [];
  #readers: Waiter<Buffer | null>[] = [];
  #commands: RedisCommand[] = [];
  #callers: Waiter<unknown>[] = [];

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

  /** The reply to one command, from the turn's pipeline. */
  run(command: RedisCommand): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#commands.push(command) === 1) setImmediate(this.#sendCommands);
      this.#callers.push({ resolve, reject });
    });
  }

  /** One MGET now, in the order of `keys`; in a Cluster one for each slot. */
  async readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    if (!(this.#client instanceof Cluster)) {
      if (keys.length <= MAX_MGET_KEYS) return await this.#client.mgetBuffer([...keys]);
      const pages: Promise<(Buffer | null)[]>[] = [];
      for (let from = 0; from < keys.length; from += MAX_MGET_KEYS) {
        pages.push(this.#client.mgetBuffer(keys.slice(from, from + MAX_MGET_KEYS)));
      }
      return (await Promise.all(pages)).flat();
    }
    const found: (Buffer | null)[] = new Array(keys.length).fill(null);
    await Promise.all(
      [...positionsBySlot(keys)].map(async (positions) => {
        const values = await this.#client.mgetBuffer(positions.map((at) => keys[at] as string));
        for (const [index, at] of positions.entries()) found[at] = values[index] ?? null;
      }),
    );
    return found;
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

  readonly #sendCommands = (): void => {
    const commands = this.#commands;
    const callers = this.#callers;
    this.#commands = [];
    this.#callers = [];
    this.runMany(commands).then(
      (replies) => {
        for (let at = 0; at < callers.length; at += 1) {
          const reply = replies[at];
          if (reply instanceof Error) callers[at]?.reject(reply);
          else callers[at]?.resolve(reply);
        }
      },
      (error: unknown) => {
        for (const caller of callers) caller.reject(error);
      },
    );
  };
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
