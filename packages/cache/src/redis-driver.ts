/** This file owns a cache service's entries in Redis: one string a key, every decision one command or one script. */
import type { Keyspace } from '@sluice/config';
import { Cluster, type RedisClient, scanKeys, unlinkByPrefix } from '@sluice/redis';
import type {
  CacheDriver,
  Incremented,
  IncrementInput,
  ListPage,
  RemoveOutcome,
  Timed,
  Write,
  WriteOutcome,
} from './driver.ts';
import { type CacheKeys, cacheKeys } from './keys.ts';
import { type StoreFigures, storeFigures } from './redis-figures.ts';
import { RedisLeases } from './redis-leases.ts';
import { listPage } from './redis-list.ts';
import { RedisTags } from './redis-tags.ts';
import { positionsBySlot, type RedisCommand, RedisTurn } from './redis-turn.ts';
import { increment, removeMatching, writeAllAbsent, writeMatching } from './scripts.ts';

/** PTTL's answers for a key that is gone and for one without end. */
const GONE = -2;
const ENDLESS = -1;

export class RedisDriver implements CacheDriver {
  readonly kind = 'redis';
  readonly leases: RedisLeases;
  readonly tags: RedisTags;
  readonly #client: RedisClient;
  readonly #keys: CacheKeys;
  readonly #root: string;
  readonly #turn: RedisTurn;

  /** The client stays its owner's: it is not closed here. `keyPrefix` adopts keys that others wrote. */
  constructor(options: {
    client: RedisClient;
    keyspace: Keyspace;
    service: string;
    keyPrefix?: string | undefined;
  }) {
    const { client, keyspace, service, keyPrefix } = options;
    this.#client = client;
    this.#keys = cacheKeys(keyspace, service, {
      isCluster: client instanceof Cluster,
      entryPrefix: keyPrefix,
    });
    this.#root = this.#keys.entryPrefix;
    this.#turn = new RedisTurn(client);
    this.leases = new RedisLeases({ client, keys: this.#keys });
    this.tags = new RedisTags({ client, turn: this.#turn, root: this.#keys.tagPrefix });
  }

  read(key: string): Promise<Buffer | null> {
    return this.#turn.read(this.#root + key);
  }

  readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#turn.readMany(keys.map((key) => this.#root + key));
  }

  async readTimed(key: string): Promise<Timed | null> {
    const entry = this.#root + key;
    const [bytes, ttlMs] = await Promise.all([this.#client.getBuffer(entry), this.#client.pttl(entry)]);
    if (bytes === null || ttlMs === GONE) return null;
    return { bytes, ttlMs: ttlMs === ENDLESS ? null : ttlMs };
  }

  async ttls(keys: readonly string[]): Promise<(number | null | undefined)[]> {
    const replies = await this.#turn.runMany(keys.map((key) => ({ name: 'pttl', args: [this.#root + key] })));
    return replies.map((reply) => {
      if (reply instanceof Error) throw reply;
      return reply === GONE ? undefined : reply === ENDLESS ? null : (reply as number);
    });
  }

  async firstByte(key: string): Promise<number> {
    const bytes = await this.#client.getrangeBuffer(this.#root + key, 0, 0);
    return bytes[0] ?? -1;
  }

  async write(write: Write): Promise<WriteOutcome> {
    if (write.ifMatch) return await this.#writeMatching(write, write.ifMatch);
    return outcomeOf(write, await this.#turn.write({ ...write, key: this.#root + write.key }));
  }

  async writeMany(writes: readonly Write[]): Promise<(WriteOutcome | Error)[]> {
    const plain: Write[] = [];
    const conditional: Write[] = [];
    for (const write of writes) {
      if (write.ifMatch) conditional.push(write);
      else plain.push({ ...write, key: this.#root + write.key });
    }
    const [replies, outcomes] = await Promise.all([
      this.#turn.writeMany(plain),
      Promise.all(conditional.map((write) => this.#writeMatching(write, write.ifMatch ?? []).catch(asError))),
    ]);
    const plainReplies = replies.values();
    const conditionalOutcomes = outcomes.values();
    return writes.map((write) => {
      if (write.ifMatch) return conditionalOutcomes.next().value ?? 'absent';
      const reply = plainReplies.next().value;
      return reply instanceof Error ? reply : outcomeOf(write, reply);
    });
  }

  /**
   * One script, so all or nothing. In a Cluster the keys lie in several slots, each with a script of its own: a key that
   * appears after the look at all of them makes the slots already written be undone, and a reader may see them in between.
   */
  async writeAllAbsent(writes: readonly Write[]): Promise<string[]> {
    if (!(this.#client instanceof Cluster)) return await this.#writeSlotAbsent(writes);
    const present = await Promise.all(
      writes.map(async ({ key }) => ((await this.firstByte(key)) === -1 ? [] : [key])),
    );
    if (present.flat().length > 0) return present.flat();
    const written: string[] = [];
    for (const positions of positionsBySlot(writes.map(({ key }) => this.#root + key))) {
      const group = positions.map((at) => writes[at] as Write);
      const appeared = await this.#writeSlotAbsent(group);
      if (appeared.length > 0) {
        await this.removeMany(written);
        return appeared;
      }
      written.push(...group.map(({ key }) => key));
    }
    return [];
  }

  async remove(key: string, ifMatch?: readonly string[]): Promise<RemoveOutcome> {
    if (!ifMatch) return (await this.removeMany([key]))[0] ? 'removed' : 'absent';
    const entry = this.#root + key;
    const keys = { entry, lease: this.#keys.lease(entry) };
    return (await removeMatching.run(this.#client, { keys, args: {}, moreArgs: ifMatch })) as RemoveOutcome;
  }

  async removeMany(keys: readonly string[]): Promise<boolean[]> {
    const commands: RedisCommand[] = [];
    for (const key of keys) {
      const entry = this.#root + key;
      commands.push({ name: 'unlink', args: [this.#keys.lease(entry)] }, { name: 'unlink', args: [entry] });
    }
    const replies = await this.#turn.runMany(commands);
    for (const reply of replies) if (reply instanceof Error) throw reply;
    return keys.map((_, at) => replies[at * 2 + 1] === 1);
  }

  async take(key: string): Promise<Buffer | null> {
    const entry = this.#root + key;
    const [bytes] = await Promise.all([
      this.#client.getdelBuffer(entry),
      this.#client.unlink(this.#keys.lease(entry)),
    ]);
    return bytes;
  }

  async touch(key: string, ttlMs: number | null): Promise<Buffer | null> {
    const entry = this.#root + key;
    if (ttlMs === null) return await this.#client.getexBuffer(entry, 'PERSIST');
    return await this.#client.getexBuffer(entry, 'PX', ttlMs);
  }

  async increment(key: string, { by, min, max, ttlMs }: IncrementInput): Promise<Incremented | undefined> {
    const input = { keys: { entry: this.#root + key }, args: { by, min, max, ttl: ttlMs ?? 0 } };
    const reply = await increment.run(this.#client, input);
    if (!Array.isArray(reply)) return undefined;
    const [value, applied, leftMs] = reply as [string, string, number];
    return { value: Number(value), applied: Number(applied), ttlMs: leftMs < 0 ? null : leftMs };
  }

  list(options: { prefix: string; limit: number; cursor: string | undefined }): Promise<ListPage> {
    return listPage(this.#client, { root: this.#root, ...options });
  }

  async flush(prefix: string): Promise<number> {
    // Leases first: a load that began before the flush may then store nothing behind the scan.
    await unlinkByPrefix(this.#client, this.#keys.leasePrefix);
    const removed = await unlinkByPrefix(this.#client, this.#root + prefix);
    if (prefix === '') await unlinkByPrefix(this.#client, this.#keys.tagPrefix);
    return removed;
  }

  async count(prefix: string): Promise<number> {
    let count = 0;
    for await (const keys of scanKeys(this.#client, this.#root + prefix)) count += new Set(keys).size;
    return count;
  }

  figures(): Promise<StoreFigures> {
    return storeFigures(this.#client);
  }

  async stop(): Promise<void> {
    // Nothing of its own is open.
  }

  async #writeMatching({ key, bytes, ttlMs }: Write, etags: readonly string[]): Promise<WriteOutcome> {
    const ttl = ttlMs === 'keep' ? -1 : (ttlMs ?? 0);
    const input = { keys: { entry: this.#root + key }, args: { value: bytes, ttl }, moreArgs: etags };
    return (await writeMatching.run(this.#client, input)) as WriteOutcome;
  }

  async #writeSlotAbsent(writes: readonly Write[]): Promise<string[]> {
    const moreKeys = writes.map(({ key }) => this.#root + key);
    const moreArgs = writes.flatMap(({ bytes, ttlMs }) => [ttlMs === 'keep' ? 0 : (ttlMs ?? 0), bytes]);
    const present = (await writeAllAbsent.run(this.#client, {
      keys: {},
      args: {},
      moreKeys,
      moreArgs,
    })) as number[];
    return present.map((position) => writes[position - 1]?.key ?? '');
  }
}

/** SET answers OK, or nil when NX or XX kept it from storing. */
function outcomeOf({ when }: Write, reply: unknown): WriteOutcome {
  if (reply !== null) return 'stored';
  return when === 'absent' ? 'exists' : 'absent';
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('not an error', { cause: error });
}
