import { describe, expect, test } from 'vitest';
import {
  ConfigError,
  describeRedis,
  Env,
  type EnvironmentVariables,
  namesRedis,
  type RedisConfig,
  ROLES,
  readRoles,
  redisIdentity,
  Secret,
} from '../src/index.ts';

const CANARY = 'canary-hunter2';
const LOCAL = {
  kind: 'standalone',
  host: 'localhost',
  port: 6379,
  database: 0,
  username: undefined,
  password: undefined,
  tls: undefined,
};
const NO_FILES = { caFile: undefined, certFile: undefined, keyFile: undefined, serverName: undefined };

function read(variables: EnvironmentVariables) {
  const env = new Env(variables);
  const roles = readRoles(env);
  env.finish();
  return roles;
}

function faults(variables: EnvironmentVariables): string[] {
  try {
    read(variables);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain(CANARY);
    return error.faults.map(({ name }) => name);
  }
}

/** The same for a comparison: a Secret equals every other for a test's eyes. */
const open = (config: RedisConfig) => ({ ...config, password: config.password?.reveal() });

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

describe('a URL', () => {
  const urls: [string, object][] = [
    ['redis://h', { host: 'h' }],
    ['redis://h/', { host: 'h' }],
    ['redis://h:7000/5', { host: 'h', port: 7000, database: 5 }],
    ['redis://user:p%40ss%2F@h', { host: 'h', username: 'user', password: 'p@ss/' }],
    [`redis://:${CANARY}@h`, { host: 'h', password: CANARY }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['rediss://h', { host: 'h', tls: NO_FILES }],
  ];
  test.each(urls)('%s', (url, expected) => {
    expect(open(read({ REDIS_URL: url }).redis.cache)).toEqual({ ...LOCAL, ...expected });
  });

  test.each([
    'h:6379',
    'http://h',
    'redis://',
    'redis:///1',
    'redis://h/16',
    'redis://h/x',
    'redis://h/1/2',
    'redis://h:0',
    'redis://h:99999',
    `redis://:${CANARY}%zz@h`,
    `redis://:${CANARY}%ff@h`,
    `redis://:${CANARY}@h?db=1`,
    `redis://:${CANARY}@h#x`,
  ])('is refused and not shown: %s', (url) => {
    expect(faults({ REDIS_URL: url })).toEqual(['REDIS_URL']);
  });

  test('speaks TLS when told so beside it', () => {
    expect(read({ REDIS_URL: 'redis://h', REDIS_TLS_CA: '/ca.pem' }).redis.cache.tls).toEqual({
      ...NO_FILES,
      caFile: '/ca.pem',
    });
  });

  test('beside a setting that says the same is taken, beside another refused', () => {
    const url = `redis://:${CANARY}@h:7000/1`;

    expect(
      faults({
        REDIS_URL: url,
        REDIS_HOST: 'h',
        REDIS_PORT: '7000',
        REDIS_DATABASE: '1',
        REDIS_PASSWORD: CANARY,
      }),
    ).toEqual([]);
    expect(faults({ REDIS_URL: url, REDIS_HOST: 'other', REDIS_PASSWORD: `${CANARY}2` })).toEqual([
      'REDIS_URL and REDIS_HOST',
      'REDIS_URL and REDIS_PASSWORD',
    ]);
  });

  test('of all roles leaves a role its own settings', () => {
    const { redis } = read({ REDIS_URL: 'redis://:common@h/1', CACHE_DATABASE: '2', QUEUE_PASSWORD: 'own' });

    expect(open(redis.cache)).toEqual({ ...LOCAL, host: 'h', database: 2, password: 'common' });
    expect(open(redis.queue)).toEqual({ ...LOCAL, host: 'h', database: 1, password: 'own' });
  });

  test('of one role takes nothing from the common settings', () => {
    const { redis } = read({
      QUEUE_URL: 'redis://q',
      REDIS_HOST: 'h',
      REDIS_PORT: '7000',
      REDIS_PASSWORD: CANARY,
    });

    expect(open(redis.queue)).toEqual({ ...LOCAL, host: 'q' });
  });
});

describe('Sentinels', () => {
  test('are a list, with one port for those that name none', () => {
    const { redis } = read({
      REDIS_SENTINEL_HOST: 's1, s2:26380,[::1]:26381',
      REDIS_SENTINEL_PORT: '5000',
      REDIS_SENTINEL_MASTER: 'main',
      REDIS_SENTINEL_PASSWORD: CANARY,
      REDIS_PASSWORD: 'of-redis',
      REDIS_DATABASE: '2',
      REDIS_HOST: 'localhost',
    });

    expect(redis.cache).toMatchObject({
      kind: 'sentinel',
      sentinels: [
        { host: 's1', port: 5000 },
        { host: 's2', port: 26_380 },
        { host: '::1', port: 26_381 },
      ],
      master: 'main',
      database: 2,
    });
    expect(redis.cache.kind === 'sentinel' && redis.cache.sentinelPassword?.reveal()).toBe(CANARY);
    expect(redis.cache.password?.reveal()).toBe('of-redis');
  });

  test('have the defaults of Sentinel itself', () => {
    expect(read({ REDIS_SENTINEL_HOST: 's' }).redis.cache).toMatchObject({
      sentinels: [{ host: 's', port: 26_379 }],
      master: 'mymaster',
    });
  });
});

describe('a Cluster', () => {
  test('has no database but 0', () => {
    expect(faults({ REDIS_CLUSTER_NODES: 'a', REDIS_DATABASE: '1' })).toEqual(['REDIS_DATABASE']);
    expect(faults({ REDIS_CLUSTER_NODES: 'a', REDIS_DATABASE: '0' })).toEqual([]);
  });

  test('has no Sentinels', () => {
    expect(faults({ REDIS_CLUSTER_NODES: 'a', REDIS_SENTINEL_HOST: 's' })).toEqual([
      'REDIS_CLUSTER_NODES and REDIS_SENTINEL_HOST',
    ]);
  });
});

describe('TLS', () => {
  test('is off unless asked for', () => {
    expect(read({}).redis.cache.tls).toBeUndefined();
    expect(read({ REDIS_TLS: 'false', REDIS_TLS_CA: '/ca.pem' }).redis.cache.tls).toBeUndefined();
  });

  test('is asked for by a word or by its files', () => {
    expect(read({ REDIS_TLS: 'true' }).redis.cache.tls).toEqual(NO_FILES);
    expect(
      read({
        REDIS_TLS_CA: '/ca.pem',
        REDIS_TLS_CERT: '/c.pem',
        REDIS_TLS_KEY: '/k.pem',
        REDIS_TLS_SERVERNAME: 'r',
      }).redis.cache.tls,
    ).toEqual({ caFile: '/ca.pem', certFile: '/c.pem', keyFile: '/k.pem', serverName: 'r' });
  });

  test('wants the certificate and its key', () => {
    expect(faults({ REDIS_TLS_CERT: '/c.pem' })).toEqual(['REDIS_TLS_KEY']);
    expect(faults({ REDIS_TLS_KEY: '/k.pem' })).toEqual(['REDIS_TLS_CERT']);
  });
});

test('an IPv6 address is written with brackets and used without', () => {
  expect(read({ REDIS_HOST: '[::1]' }).redis.cache).toMatchObject({ host: '::1' });
  expect(read({ REDIS_HOST: '::1' }).redis.cache).toMatchObject({ host: '::1' });
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
