import { once } from 'node:events';
import { Cache, RedisDriver } from '@sluice/cache';
import { keyspace } from '@sluice/config';
import { redisFault } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, it, vi } from 'vitest';
import { cacheSuite } from './cache-suite.ts';
import { entrySuite } from './entry-suite.ts';
import { redisRig } from './setup.ts';
import { sharingSuite } from './sharing-suite.ts';

cacheSuite('Redis', redisRig);
sharingSuite('Redis', redisRig);
entrySuite('Redis', redisRig);

describe('a cache on Redis', () => {
  it('keeps a plain value as its JSON text under the documented key', async (t) => {
    const { cache, redis } = await redisRig(t);

    await cache.set('user:1', { name: 'John' }, { ttl: 60 });

    const key = `${redis.prefix}:cache:books:user:1`;
    expect(await redis.client.get(key)).toBe('{"name":"John"}');
    expect(await redis.client.ttl(key)).toBe(60);
    expect(await redis.allKeys()).toEqual([key]);
  });

  it('reads a whole turn in one MGET and writes one in one call', async (t) => {
    const { cache, redis } = await redisRig(t);
    const reads = vi.spyOn(redis.client, 'mgetBuffer');
    const writes = vi.spyOn(redis.client, 'sendCommand');

    await Promise.all(Array.from({ length: 50 }, (_, at) => cache.set(`k${at}`, at)));
    const values = await Promise.all(Array.from({ length: 50 }, (_, at) => cache.get(`k${at}`)));

    expect(values.map((entry) => entry?.value)).toEqual(Array.from({ length: 50 }, (_, at) => at));
    expect(reads).toHaveBeenCalledTimes(1);
    expect(writes.mock.calls.map(([{ name }]) => name)).toEqual([expect.stringMatching(/^eval/), 'mget']);
  });

  it('tells each caller of a turn of its own failure', async (t) => {
    const { cache, redis } = await redisRig(t);
    await redis.client.lpush(`${redis.prefix}:cache:books:list`, 'not a string');

    const outcomes = await Promise.allSettled([
      cache.set('a', 1),
      cache.take('list'),
      cache.set('a', 2, { when: 'absent' }),
      cache.set('b', 3),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(await cache.get('list')).toBeUndefined();
  });

  it('rejects every waiting caller when Redis is away', async (t) => {
    const { cache, redis } = await redisRig(t);
    redis.client.disconnect();

    const outcomes = await Promise.allSettled([
      cache.get('a'),
      cache.get('b'),
      cache.set('c', 1),
      cache.getMany(['d']),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
  });

  it('loads without Redis, once for all callers of the process, or throws when told to', async (t) => {
    const { cache, redis } = await redisRig(t);
    redis.client.disconnect();
    const load = vi.fn(
      async () => await new Promise((resolve) => setTimeout(() => resolve('from upstream'), 20)),
    );

    const entries = await Promise.all([cache.getOrLoad('k', load), cache.getOrLoad('k', load)]);

    expect(entries.map((entry) => entry?.value)).toEqual(['from upstream', 'from upstream']);
    expect(load).toHaveBeenCalledTimes(1);
    await expect(cache.getOrLoad('k', load, { onOutage: 'throw' })).rejects.toThrow(
      /Stream isn't writeable|closed/,
    );
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('answers what was loaded when Redis goes away before it is stored', async (t) => {
    const { cache, redis } = await redisRig(t);

    const entry = await cache.getOrLoad('k', () => {
      redis.client.disconnect();
      return 'loaded';
    });

    expect(entry?.value).toBe('loaded');
  });

  it('leaves nothing behind that does not end by itself', async (t) => {
    const { cache, redis } = await redisRig(t);
    await cache.set('plain', 1);
    await cache.setMany(
      ['a', 'b'].map((key) => ({ key, value: 1, tags: ['t', key], ttl: 60, graceSeconds: 60 })),
    );
    await cache.getOrLoad('missing', () => undefined, { missingSeconds: 60 });
    await cache.leases.lend('lent', { leaseMs: 60_000, tags: ['lent'] });
    await cache.touch('a', 'forever');
    await cache.increment('n');

    const ends = await Promise.all(
      (await redis.allKeys()).map(async (key) => [key, await redis.client.pttl(key)]),
    );
    expect(ends.filter(([, leftMs]) => Number(leftMs) <= 0)).toEqual([]);
    expect(ends).toHaveLength(10);

    await cache.flush();
    expect(await redis.allKeys()).toEqual([]);
  });

  it('lets a tag live as long as the longest-lived entry that bears it', async (t) => {
    const { cache, redis } = await redisRig(t);
    const tagEndsInMs = () => redis.client.pttl(`${redis.prefix}:cache-tag:books:t`);

    await cache.set('a', 1, { tags: ['t'], ttl: 60 });
    await cache.set('b', 1, { tags: ['t'], ttl: 600, graceSeconds: 300 });
    await cache.set('c', 1, { tags: ['t'], ttl: 6 });

    expect(await tagEndsInMs()).toBeGreaterThan(890_000);
  });

  it('carries few keys in a cursor, however thinly they lie', async (t) => {
    const { cache } = await redisRig(t);
    const items = (prefix: string, count: number) =>
      Array.from({ length: count }, (_, at) => ({ key: `${prefix}:${at}:${'x'.repeat(100)}`, value: 1 }));
    for (let batch = 0; batch < 6; batch += 1) await cache.setMany(items(`other${batch}`, 950));
    await cache.setMany(items('user', 300));
    const told = new Set<string>();

    let cursor: string | undefined;
    do {
      const page = await cache.list({ prefix: 'user:', limit: 1, cursor });
      for (const key of page.keys) told.add(key);
      expect(page.keys.length).toBeLessThanOrEqual(1);
      // Six keys of a hundred bytes and the place.
      expect((page.next ?? '').length).toBeLessThan(1_000);
      cursor = page.next;
    } while (cursor !== undefined);

    expect(told.size).toBe(300);
  });

  it('tells of a full or a read-only Redis as Redis does, in a batch as for one', async (t) => {
    const server = await testServer(t);
    const client = server.connect('request');
    await vi.waitFor(() => expect(client.status).toBe('ready'));
    const driver = new RedisDriver({
      client,
      keyspace: keyspace('p', { isCluster: false }),
      service: 'books',
    });
    const cache = new Cache({ name: 'books', driver });
    const items = ['a', 'b', 'c'].map((key) => ({ key, value: 1 }));
    const kindOf = (work: Promise<unknown>) =>
      work.then(
        () => undefined,
        (error: unknown) => redisFault(error)?.kind,
      );

    const operator = server.admin();
    await operator.config('SET', 'maxmemory', '1');
    const full = [
      await kindOf(cache.set('a', 1)),
      await kindOf(cache.setMany(items)),
      await kindOf(cache.addAll(items)),
    ];
    await operator.config('SET', 'maxmemory', '0');
    await operator.call('REPLICAOF', '127.0.0.1', '1');
    const left = once(client, 'close');
    const readonly = await kindOf(cache.setMany(items));

    expect(full).toEqual(['oom', 'oom', 'oom']);
    expect(readonly).toBe('readonly');
    // To look for the new master.
    await left;
  });
});
