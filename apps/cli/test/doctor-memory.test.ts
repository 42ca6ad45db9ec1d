import type { Redis } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { at, doctor, ENTRY, GOOD, only, PASSWORD } from './doctor-run.ts';

describe('memory', () => {
  test('calls an eviction policy right for a cache and ruinous for the queue beside it', async (t) => {
    const server = await testServer(t, { settings: GOOD('allkeys-lru'), ...ENTRY });

    const { status, findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    const policies = findings.filter(({ id }) => id === 'memory.policy');
    expect(policies.map(({ role, severity, fix }) => [role, severity, fix])).toEqual([
      ['cache', 'ok', null],
      ['queue', 'error', 'QUEUE_HOST=redis-queue.internal'],
      ['session', 'error', 'SESSION_HOST=redis-session.internal'],
      ['limit', 'warning', 'LIMIT_HOST=redis-limit.internal'],
      ['channel', 'warning', 'CHANNEL_HOST=redis-channel.internal'],
    ]);
    expect(status).toBe(2);
  });

  test('sees that two database numbers are one server', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });

    const { findings } = await doctor(t, {
      ...at(server),
      REDIS_PASSWORD: PASSWORD,
      CACHE_HOST: 'localhost',
      CACHE_PORT: String(server.port),
      CACHE_DATABASE: '3',
    });

    expect(only(findings, 'memory.sharing', 'cache')).toMatchObject({
      redis: `localhost:${server.port}/3`,
      evidence: 'the cache shares its server with queue, session, limit, channel',
      fix: 'CACHE_HOST=redis-cache.internal',
    });
    expect(only(findings, 'memory.policy', 'cache')).toMatchObject({
      severity: 'warning',
      fix: 'CACHE_HOST=redis-cache.internal',
    });
  });

  test('counts evictions: an error for jobs, a warning for cached values', async (t) => {
    const server = await testServer(t, { settings: [...GOOD('allkeys-lru'), 'maxmemory 8mb'], ...ENTRY });
    const client = server.connect('worker') as Redis;
    const evictions = async () => Number(/evicted_keys:(\d+)/.exec(await client.info('stats'))?.[1]);
    for (let key = 0; (await evictions()) === 0; key += 1) await client.set(`k${key}`, 'x'.repeat(500_000));

    const { findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    expect(only(findings, 'memory.evicted', 'queue')).toMatchObject({
      severity: 'error',
      evidence: expect.stringMatching(/^[1-9]\d* keys evicted since the start \d+ s ago$/),
    });
    expect(only(findings, 'memory.evicted', 'cache')).toMatchObject({ severity: 'warning' });
  });

  test('warns above 80 % of maxmemory', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });
    const client = server.connect('worker') as Redis;
    // Made by Redis itself: a value that is sent is in memory twice for a while.
    await client.setrange('large', 40_000_000, 'x');
    const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
    await client.config('SET', 'maxmemory', String(Math.round(used / 0.87)));

    const { findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    expect(only(findings, 'memory.used', 'queue')).toMatchObject({
      severity: 'warning',
      evidence: expect.stringMatching(/ in use, 8\d(\.\d)? % of maxmemory \(/),
      fix: expect.stringContaining('CONFIG SET maxmemory '),
    });
  });

  test('warns of a cache that misses most of the time', async (t) => {
    const server = await testServer(t, { settings: GOOD('allkeys-lru'), ...ENTRY });
    const client = server.connect('worker') as Redis;
    const pipeline = client.pipeline();
    for (let index = 0; index < 1_500; index += 1) pipeline.get('absent');
    await pipeline.exec();

    const { findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    expect(only(findings, 'memory.hit-ratio', 'cache')).toMatchObject({
      severity: 'warning',
      evidence: expect.stringMatching(/^0(\.\d)? % of 1\d{3} look-ups were hits \(with those of queue, /),
    });
  });
});
