import { Cache, cacheKeys, InvalidationBus, type NearOptions, RedisDriver } from '@sluice/cache';
import { keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import {
  type TestContext,
  type TestRedis,
  type TestServer,
  testRedis,
  testServer,
} from '@sluice/redis/testing';
import { describe, expect, it, vi } from 'vitest';
import { type TestClock, testClock } from './setup.ts';

describe('entries kept near', () => {
  it('are answered without asking Redis', async (t) => {
    const { open, redis } = await setup(t);
    const cache = await open();
    await cache.set('k', 1);
    await cache.get('k');
    const reads = vi.spyOn(redis.client, 'mgetBuffer');

    expect((await cache.get('k'))?.value).toBe(1);

    expect(reads).not.toHaveBeenCalled();
    expect(cache.stats).toMatchObject({ hits: 2, nearHits: 1 });
  });

  it('are read anew by every process once one has changed them', async (t) => {
    const { open } = await setup(t);
    const [one, other] = [await open(), await open()];
    const changes: [name: string, change: () => Promise<unknown>, left: unknown][] = [
      ['set', () => one.set('k', 'new'), 'new'],
      ['setMany', () => one.setMany([{ key: 'k', value: 'many' }]), 'many'],
      ['patch', () => one.patch('k', { ttl: 60 }), 'many'],
      ['delete', () => one.delete('k'), undefined],
      ['getOrLoad', () => one.getOrLoad('k', () => 'loaded'), 'loaded'],
      ['take', () => one.take('k'), undefined],
      ['addAll', () => one.addAll([{ key: 'k', value: 1, tags: ['t'], ttl: 60 }]), 1],
      ['purgeTags', () => one.purgeTags(['t']), undefined],
      ['upsert', () => one.upsert('k', 5), 5],
      ['increment', () => one.increment('k'), 6],
      ['flush', () => one.flush(), undefined],
    ];

    for (const [name, change, left] of changes) {
      // Until the message of the change before has come, what is read is not kept.
      await expect
        .poll(
          async () => {
            const hits = other.stats.nearHits;
            return (await other.get('k')) === undefined || other.stats.nearHits > hits;
          },
          { interval: 5 },
        )
        .toBe(true);
      await change();
      expect((await one.get('k'))?.value, name).toEqual(left);
      await expect
        .poll(async () => (await other.get('k'))?.value, { message: name, interval: 5 })
        .toEqual(left);
    }
  });

  it('go when their TTL ends, though Redis did not say so', async (t) => {
    const { open, clock, redis } = await setup(t);
    const cache = await open();
    await cache.set('k', 1, { ttl: 1 });
    await cache.get('k');
    await redis.client.unlink(`${redis.prefix}:cache:books:k`);

    expect((await cache.get('k'))?.value).toBe(1);
    clock.advanceMs(1_001);

    expect(await cache.get('k')).toBeUndefined();
  });

  it('stay within their bounds, the least recently used leaving first', async (t) => {
    const { open, redis } = await setup(t);
    const cache = await open({ maxEntries: 2 });
    await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: key })));
    for (const key of ['a', 'b', 'a', 'c']) await cache.get(key);
    const reads = vi.spyOn(redis.client, 'mgetBuffer');

    await cache.get('a');
    await cache.get('c');
    expect(reads).not.toHaveBeenCalled();
    await cache.get('b');

    expect(reads).toHaveBeenCalledTimes(1);
  });

  it('are not kept when they changed while they were read', async (t) => {
    const { open, redis } = await setup(t);
    const cache = await open();
    await cache.set('k', 'old');
    const mget = redis.client.mgetBuffer.bind(redis.client) as (keys: string[]) => Promise<(Buffer | null)[]>;
    vi.spyOn(redis.client, 'mgetBuffer').mockImplementationOnce((async (keys: string[]) => {
      const old = await mget(keys);
      await cache.set('k', 'new');
      return old;
    }) as never);

    expect((await cache.get('k'))?.value).toBe('old');

    expect((await cache.get('k'))?.value).toBe('new');
  });

  it('are not believed after the subscription was lost, whatever was missed meanwhile', async (t) => {
    const { open, redis, subscriptions } = await setup(t);
    const cache = await open();
    await cache.set('k', 'old');
    await cache.get('k');
    expect([(await cache.get('k'))?.value, cache.stats.nearHits]).toEqual(['old', 1]);

    await redis.admin().client('KILL', 'ID', String(subscriptions[0]));
    await redis.client.set(`${redis.prefix}:cache:books:k`, '"changed unheard"');

    await expect.poll(async () => (await cache.get('k'))?.value, { interval: 5 }).toBe('changed unheard');
    await expect
      .poll(async () => (await cache.get('k')) && cache.stats.nearHits, { timeout: 5_000 })
      .toBeGreaterThan(1);
  });

  it('are not believed once the beats stay away, and dropped before they come back', async (t) => {
    const server = await testServer(t);
    const { open, clock } = await setup(t, server);
    const cache = await open();
    await cache.set('k', 'old');
    await cache.get('k');
    expect([(await cache.get('k'))?.value, cache.stats.nearHits]).toEqual(['old', 1]);
    const direct = server.connect('request');
    await vi.waitFor(() => expect(direct.status).toBe('ready'));
    await direct.set('near:cache:books:k', '"changed unheard"');

    clock.advanceMs(3_100);

    expect((await cache.get('k'))?.value).toBe('changed unheard');
    await expect
      .poll(async () => [(await cache.get('k'))?.value, cache.stats.nearHits > 1], { timeout: 5_000 })
      .toEqual(['changed unheard', true]);
  });

  it('cost nothing where there are none: a set is one command', async (t) => {
    const { redis } = await setup(t);
    const driver = new RedisDriver({ client: redis.client, keyspace: redis.keys, service: 'books' });
    const cache = new Cache({ name: 'books', driver });
    const publish = vi.spyOn(redis.client, 'publish');

    await cache.set('k', 1);

    expect(publish).not.toHaveBeenCalled();
  });
});

interface NearRig {
  redis: Pick<TestRedis, 'client' | 'prefix' | 'keys' | 'admin'>;
  clock: TestClock;
  /** Redis' ids of the connections that listened first, in the order of `open`. */
  subscriptions: number[];
  /** A cache of its own, as in another process, that hears the bus already. */
  open(near?: NearOptions): Promise<Cache>;
}

async function setup(t: TestContext, server?: TestServer): Promise<NearRig> {
  const shared = server ? undefined : await testRedis(t);
  const connectAs = (profile: 'request' | 'subscriber'): RedisClient =>
    server ? server.connect(profile) : (shared as TestRedis).connect(profile);
  const prefix = shared?.prefix ?? 'near';
  const keys = keyspace(prefix, { isCluster: false });
  const client = shared?.client ?? connectAs('request');
  await vi.waitFor(() => expect(client.status).toBe('ready'));
  const clock = testClock();
  const subscriptions: number[] = [];
  const open = async (near: NearOptions = {}) => {
    const subscriber = connectAs('subscriber');
    subscriptions.push((await subscriber.client('ID')) as number);
    const channel = cacheKeys(keys, 'books', { isCluster: false, entryPrefix: undefined }).busChannel;
    const bus = new InvalidationBus({ publisher: client, subscriber, channel, clock });
    const driver = new RedisDriver({ client, keyspace: keys, service: 'books' });
    const cache = new Cache({ name: 'books', driver, near: { ...near, bus }, clock });
    await cache.start();
    t.onTestFinished(() => cache.stop());
    await vi.waitFor(() => expect(bus.isHeard).toBe(true));
    return cache;
  };
  const admin = shared?.admin ?? (() => connectAs('request'));
  return { redis: { client, prefix, keys, admin }, clock, subscriptions, open };
}
