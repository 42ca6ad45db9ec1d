/** This file owns what the cache's tests share: a fresh cache on each driver, and time that passes without waiting. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cache, type CacheOptions, FileDriver, RedisDriver } from '@sluice/cache';
import { type TestContext, type TestRedis, testRedis } from '@sluice/redis/testing';
import type { Clock } from '@sluice/runtime';
import { expect } from 'vitest';

export type CacheSettings = Omit<CacheOptions, 'name' | 'driver'>;

export interface Rig {
  cache: Cache;
  /** Another process' view of the same store, as far as one process can have it. */
  open(service: string, settings?: CacheSettings): Cache;
  /** Lets the entry of `key` age by `seconds`. */
  age(key: string, seconds: number): Promise<void>;
}

export type Setup = (t: TestContext, settings?: CacheSettings) => Promise<Rig>;

export interface RedisRig extends Rig {
  redis: TestRedis;
}

export async function redisRig(t: TestContext, settings: CacheSettings = {}): Promise<RedisRig> {
  const redis = await testRedis(t);
  const open = (service: string, more: CacheSettings = settings) => {
    const driver = new RedisDriver({ client: redis.client, keyspace: redis.keys, service });
    return new Cache({ name: service, driver, ...more });
  };
  return {
    redis,
    cache: open('books'),
    open,
    async age(key, seconds) {
      const entry = `${redis.prefix}:cache:books:${key}`;
      const leftMs = await redis.client.pttl(entry);
      if (leftMs > 0) await redis.client.pexpire(entry, leftMs - seconds * 1_000);
    },
  };
}

export interface FileRig extends Rig {
  folder: string;
  clock: TestClock;
}

export async function fileRig(t: TestContext, settings: CacheSettings = {}): Promise<FileRig> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-cache-'));
  const clock = testClock();
  const opened: Cache[] = [];
  const open = (service: string, more: CacheSettings = settings) => {
    const cache = new Cache({ name: service, driver: new FileDriver({ folder, service, clock }), ...more });
    opened.push(cache);
    return cache;
  };
  t.onTestFinished(async () => {
    for (const cache of opened) await cache.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    folder,
    clock,
    cache: open('books'),
    open,
    async age(_key, seconds) {
      clock.advanceMs(seconds * 1_000);
    },
  };
}

export interface TestClock extends Clock {
  advanceMs(ms: number): void;
}

export function testClock(): TestClock {
  let aheadMs = 0;
  return {
    now: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
    advanceMs: (ms) => {
      aheadMs += ms;
    },
  };
}

/** So many seconds left, or a few less on a machine that was busy meanwhile. */
export function about(seconds: number): number {
  return expect.toBeOneOf([0, 1, 2, 3].map((less) => seconds - less));
}
