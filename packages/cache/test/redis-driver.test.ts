import { describe, expect, it, vi } from 'vitest';
import { cacheSuite } from './cache-suite.ts';
import { redisRig } from './setup.ts';
import { sharingSuite } from './sharing-suite.ts';

cacheSuite('Redis', redisRig);
sharingSuite('Redis', redisRig);

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
});
