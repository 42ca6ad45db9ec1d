import { describe, expect, test } from 'vitest';
import {
  describeRedis,
  Env,
  type EnvironmentVariables,
  namesRedis,
  type RedisConfig,
  ROLES,
  redisIdentity,
  Secret,
} from '../src/index.ts';
import { CANARY, faults, LOCAL, NO_FILES, open, read } from './environment.ts';

test('an empty environment is the page of defaults', () => {
  const { redis, ...rest } = read({});

  expect(rest).toEqual({ prefix: 'dreamfactory', cacheDriver: 'file', sessionDriver: 'file' });
  for (const role of ROLES) expect(redis[role]).toEqual(LOCAL);
});

test('the page speaks of one Redis for all roles', () => {
  const { redis, ...rest } = read({
    CACHE_DRIVER: 'redis',
    SESSION_DRIVER: 'redis',
    QUEUE_DRIVER: 'redis',
    REDIS_HOST: 'cache.internal',
    REDIS_PORT: '6380',
    REDIS_PASSWORD: CANARY,
    REDIS_DATABASE: '15',
    REDIS_PREFIX: 'app-1',
    REDIS_CLIENT: 'phpredis',
  });

  expect(rest).toEqual({ prefix: 'app-1', cacheDriver: 'redis', sessionDriver: 'redis' });
  for (const role of ROLES) {
    expect(open(redis[role])).toEqual({
      ...LOCAL,
      host: 'cache.internal',
      port: 6380,
      database: 15,
      password: CANARY,
    });
  }
});

describe('each variable is checked', () => {
  const wrong: EnvironmentVariables[] = [
    { CACHE_DRIVER: 'memcached' },
    { CACHE_STORE: 'array' },
    { SESSION_DRIVER: 'cookie' },
    { QUEUE_DRIVER: 'sync' },
    { QUEUE_CONNECTION: 'database' },
    { REDIS_CLIENT: 'credis' },
    { REDIS_HOST: 'a b' },
    { REDIS_HOST: '/var/run/redis.sock' },
    { REDIS_PORT: '0' },
    { REDIS_PORT: '70000' },
    { REDIS_DATABASE: '16' },
    { REDIS_DATABASE: '-1' },
    { REDIS_PREFIX: 'a:b' },
    { REDIS_PREFIX: 'a{b}' },
    { REDIS_PREFIX: 'x'.repeat(65) },
    { REDIS_TLS: 'maybe' },
    { REDIS_URL: `http://:${CANARY}@host` },
    { REDIS_CLUSTER_NODES: 'a:b:c' },
    { REDIS_SENTINEL_HOST: `redis://:${CANARY}@h` },
    { QUEUE_PORT: 'x' },
    { CACHE_DATABASE: '99' },
    { SESSION_HOST: '?' },
    { LIMIT_PORT: '1.5' },
    { LIMIT_CACHE_DATABASE: 'a' },
    { CHANNEL_HOST: '!' },
    { BROADCAST_PORT: 'x' },
  ];
  test.each(wrong)('%j', (variables) => {
    expect(faults(variables)).toEqual(Object.keys(variables));
  });

  test('and all faults are told together', () => {
    expect(
      faults({
        CACHE_DRIVER: 'x',
        REDIS_PORT: 'x',
        REDIS_PREFIX: ':',
        REDIS_TLS: 'x',
        QUEUE_DRIVER: 'x',
      }).sort(),
    ).toEqual(['CACHE_DRIVER', 'QUEUE_DRIVER', 'REDIS_PORT', 'REDIS_PREFIX', 'REDIS_TLS']);
  });
});

describe('names of today', () => {
  test('stand for those of the page', () => {
    expect(read({ CACHE_STORE: 'redis', QUEUE_CONNECTION: 'redis' }).cacheDriver).toBe('redis');
    expect(read({ CACHE_STORE: 'redis', CACHE_DRIVER: 'redis' }).cacheDriver).toBe('redis');
  });

  test('that say something else than those of the page are refused', () => {
    expect(faults({ CACHE_STORE: 'redis', CACHE_DRIVER: 'file' })).toEqual(['CACHE_DRIVER and CACHE_STORE']);
  });
});

describe('a role of its own Redis', () => {
  test('takes what it leaves out from the common one', () => {
    const { redis } = read({
      REDIS_HOST: 'common',
      REDIS_PORT: '7000',
      REDIS_PASSWORD: CANARY,
      QUEUE_HOST: 'queue',
      CACHE_DATABASE: '3',
    });

    expect(open(redis.queue)).toEqual({ ...LOCAL, host: 'queue', port: 7000, password: CANARY });
    expect(open(redis.cache)).toEqual({
      ...LOCAL,
      host: 'common',
      port: 7000,
      password: CANARY,
      database: 3,
    });
    expect(open(redis.session)).toEqual({ ...LOCAL, host: 'common', port: 7000, password: CANARY });
  });

  test('may be a Cluster beside a single one', () => {
    const { redis } = read({ QUEUE_CLUSTER_NODES: 'a:7000,b', REDIS_HOST: 'common' });

    expect(redis.queue).toMatchObject({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 7000 },
        { host: 'b', port: 6379 },
      ],
    });
    expect(redis.cache).toMatchObject({ kind: 'standalone', host: 'common' });
  });

  test('is named as in DreamFactory too', () => {
    const { redis } = read({ LIMIT_CACHE_HOST: 'limits', BROADCAST_HOST: 'channels' });

    expect([redis.limit, redis.channel]).toMatchObject([{ host: 'limits' }, { host: 'channels' }]);
  });
});

describe('an environment that says where Redis is', () => {
  test.each([
    'REDIS_HOST',
    'REDIS_PORT',
    'REDIS_URL',
    'QUEUE_URL',
    'CACHE_HOST',
    'REDIS_SENTINEL_HOST',
    'LIMIT_CLUSTER_NODES',
  ])('by %s', (name) => {
    expect(namesRedis(new Env({ [name]: 'x' }))).toBe(true);
  });

  test.each(['REDIS_PASSWORD', 'REDIS_PREFIX', 'CACHE_DRIVER', 'PORT', 'HOST'])('not by %s', (name) => {
    expect(namesRedis(new Env({ [name]: 'x' }))).toBe(false);
  });
});

describe('the identity of a Redis', () => {
  const base: RedisConfig = {
    ...LOCAL,
    kind: 'standalone',
    password: new Secret('a'),
    username: undefined,
    tls: undefined,
  };

  test('is the same for the same, in whatever order it is written', () => {
    const { database, host, ...rest } = base as Extract<RedisConfig, { kind: 'standalone' }>;

    expect(redisIdentity({ host, ...rest, database, password: new Secret('a') })).toBe(redisIdentity(base));
  });

  test('is another for another password, database, host or Sentinel password', () => {
    const sentinel = (password: string): RedisConfig => ({
      ...base,
      kind: 'sentinel',
      sentinels: [{ host: 's', port: 1 }],
      master: 'm',
      sentinelUsername: undefined,
      sentinelPassword: new Secret(password),
      database: 0,
    });
    const all = [
      base,
      { ...base, password: new Secret('b') },
      { ...base, database: 1 },
      { ...base, host: 'other' },
      { ...base, tls: NO_FILES },
      sentinel('a'),
      sentinel('b'),
    ];

    expect(new Set(all.map(redisIdentity)).size).toBe(all.length);
  });
});

test('a Redis is described without its credentials', () => {
  const access = { REDIS_PASSWORD: CANARY, REDIS_USERNAME: 'user', REDIS_SENTINEL_PASSWORD: CANARY };
  const described = [
    { REDIS_HOST: 'h', REDIS_DATABASE: '2', ...access },
    { REDIS_SENTINEL_HOST: 's1,s2', ...access },
    { REDIS_CLUSTER_NODES: 'a,b:7000', ...access },
  ].map((variables) => describeRedis(read(variables).redis.cache));

  expect(described).toEqual(['h:6379/2', 'sentinel mymaster (s1:26379,s2:26379)/0', 'cluster a:6379,b:7000']);
});
