import { describe, expect, test } from 'vitest';
import { CANARY, faults, LOCAL, NO_FILES, open, read } from './environment.ts';

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
