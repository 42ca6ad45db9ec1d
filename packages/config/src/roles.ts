/** This file owns the page's environment: which Redis serves which role, which driver, under which prefix. */
import type { Env } from './env.ts';
import { type RedisConfig, readRedisConfig } from './redis-config.ts';

/** What a Redis connection is for. Roles may share one Redis; a queue wants `noeviction`, a cache an LRU policy. */
export const ROLES = ['cache', 'queue', 'session', 'limit', 'channel'] as const;
export type Role = (typeof ROLES)[number];

export const STORE_DRIVERS = ['file', 'redis'] as const;
export type StoreDriver = (typeof STORE_DRIVERS)[number];

export interface RolesConfig {
  /** Leads every key of ours; default `dreamfactory`. */
  prefix: string;
  /** Default `file`: values on disk, no Redis needed. */
  cacheDriver: StoreDriver;
  /** Default `file`. */
  sessionDriver: StoreDriver;
  redis: Readonly<Record<Role, RedisConfig>>;
}

export const DEFAULT_REDIS_PREFIX = 'dreamfactory';

/** DreamFactory named the same roles LIMIT_CACHE_* and BROADCAST_*; both are read. */
const FAMILIES: Readonly<Record<Role, readonly string[]>> = {
  cache: ['CACHE', 'REDIS'],
  queue: ['QUEUE', 'REDIS'],
  session: ['SESSION', 'REDIS'],
  limit: ['LIMIT', 'LIMIT_CACHE', 'REDIS'],
  channel: ['CHANNEL', 'BROADCAST', 'REDIS'],
};

/** Reads everything about Redis; faults stay in `env` until `env.finish()`. */
export function readRoles(env: Env): RolesConfig {
  env.oneOf('REDIS_CLIENT', ['phpredis', 'predis', 'ioredis'], undefined);
  env.oneOf(['QUEUE_DRIVER', 'QUEUE_CONNECTION'], ['redis'], 'redis');
  return {
    prefix: env.text('REDIS_PREFIX', DEFAULT_REDIS_PREFIX, {
      pattern: /^[A-Za-z0-9_.-]{1,64}$/,
      wanted: '1 to 64 letters, digits, dots, hyphens or underscores',
      example: DEFAULT_REDIS_PREFIX,
    }),
    cacheDriver: env.oneOf(['CACHE_DRIVER', 'CACHE_STORE'], STORE_DRIVERS, 'file'),
    sessionDriver: env.oneOf('SESSION_DRIVER', STORE_DRIVERS, 'file'),
    redis: {
      cache: readRedisConfig(env, FAMILIES.cache),
      queue: readRedisConfig(env, FAMILIES.queue),
      session: readRedisConfig(env, FAMILIES.session),
      limit: readRedisConfig(env, FAMILIES.limit),
      channel: readRedisConfig(env, FAMILIES.channel),
    },
  };
}

/** True when the environment says where Redis is, for any role. */
export function namesRedis(env: Env): boolean {
  const families = new Set(Object.values(FAMILIES).flat());
  return [...families].some((family) =>
    ['URL', 'HOST', 'PORT', 'CLUSTER_NODES', 'SENTINEL_HOST'].some((part) => env.has(`${family}_${part}`)),
  );
}
