import { describe, expect, test } from 'vitest';
import { Env, parseService, readRoles } from '../src/index.ts';
import { CANARY, one, parse } from './services-setup.ts';

const DEFAULT_OPTIONS = {
  keyPrefix: undefined,
  flushPolicy: 'open',
  unavailableStatus: 500,
  postStatus: 201,
  maxValueBytes: undefined,
  deflateOverBytes: undefined,
  near: undefined,
};

describe('without a file', () => {
  test('there is one service named redis, on disk', () => {
    expect(parse(undefined)).toEqual([
      {
        name: 'redis',
        label: 'Redis Cache',
        description: 'Application cache service',
        isActive: true,
        type: 'cache_local',
        redis: undefined,
        defaultTtlMinutes: 300,
        options: DEFAULT_OPTIONS,
      },
    ]);
  });

  test('it is on the Redis of the cache role when the driver says so', () => {
    const [service] = parse(undefined, { CACHE_DRIVER: 'redis', CACHE_HOST: 'cache.internal' });

    expect(service).toMatchObject({
      type: 'cache_redis',
      redis: { kind: 'standalone', host: 'cache.internal' },
    });
  });
});

describe('a file of limits alone', () => {
  test('leaves the one service named redis', () => {
    expect(parse({ limits: [{ name: 'writes' }] }).map(({ name }) => name)).toEqual(['redis']);
  });
});

describe('a service', () => {
  test('of a name and a type has every default', () => {
    expect(parse(one({ name: 'Main' }), { CACHE_HOST: 'cache.internal' })).toEqual([
      {
        name: 'main',
        label: 'main',
        description: '',
        isActive: true,
        type: 'cache_redis',
        redis: expect.objectContaining({ host: 'cache.internal', port: 6379 }),
        defaultTtlMinutes: 300,
        options: DEFAULT_OPTIONS,
      },
    ]);
  });

  test('that says anything of its Redis has the defaults of the page for the rest', () => {
    const [service] = parse(one({ config: { port: 7000 } }), {
      CACHE_HOST: 'cache.internal',
      REDIS_PASSWORD: CANARY,
    });

    expect(service?.redis).toEqual({
      kind: 'standalone',
      host: '127.0.0.1',
      port: 7000,
      database: 0,
      username: undefined,
      password: undefined,
      tls: undefined,
    });
  });

  test('may say everything', () => {
    const [service] = parse(
      one({
        label: 'Main cache',
        description: 'What everybody reads',
        is_active: false,
        config: {
          host: 'h',
          port: 7000,
          username: 'u',
          password: { env: 'MAIN_PASSWORD' },
          database_index: 4,
          default_ttl: 0,
          options: {
            tls: { ca: '/ca.pem', servername: 'redis' },
            key_prefix: 'legacy:',
            flush_policy: 'confirm',
            unavailable_status: 503,
            post_status: 200,
            max_value_bytes: 1024,
            deflate_over_bytes: 16_384,
            near: { max_entries: 100, max_age_ms: 5_000 },
          },
        },
      }),
      { MAIN_PASSWORD: CANARY },
    );

    expect(service?.redis?.password?.reveal()).toBe(CANARY);
    expect(service).toMatchObject({
      label: 'Main cache',
      description: 'What everybody reads',
      isActive: false,
      redis: {
        kind: 'standalone',
        host: 'h',
        port: 7000,
        username: 'u',
        database: 4,
        tls: { caFile: '/ca.pem', serverName: 'redis' },
      },
      defaultTtlMinutes: 0,
      options: {
        keyPrefix: 'legacy:',
        flushPolicy: 'confirm',
        unavailableStatus: 503,
        postStatus: 200,
        maxValueBytes: 1024,
        deflateOverBytes: 16_384,
        near: { maxEntries: 100, maxAgeMs: 5_000 },
      },
    });
  });

  test('may be behind Sentinels', () => {
    const options = { sentinels: ['s1', 's2:26380'], sentinel_master: 'main', sentinel_password: CANARY };
    const redis = parse(one({ config: { database_index: 2, options } }))[0]?.redis;

    expect(redis).toMatchObject({
      kind: 'sentinel',
      sentinels: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 26_380 },
      ],
      master: 'main',
      database: 2,
    });
    expect(redis?.kind === 'sentinel' && redis.sentinelPassword?.reveal()).toBe(CANARY);
  });

  test('may be on a Cluster', () => {
    expect(
      parse(one({ config: { options: { cluster_nodes: ['a', 'b:7000'], tls: true } } }))[0]?.redis,
    ).toMatchObject({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 6379 },
        { host: 'b', port: 7000 },
      ],
      tls: {},
    });
  });

  test('may be on disk', () => {
    expect(parse(one({ type: 'cache_local', config: { default_ttl: 5 } }))[0]).toMatchObject({
      redis: undefined,
      defaultTtlMinutes: 5,
    });
  });
});

describe('a service given at run time', () => {
  const roles = readRoles(new Env({}));
  const faultsOf = (given: unknown) => {
    const read = parseService(given, roles);
    return 'faults' in read ? read.faults.map(({ name }) => name) : [];
  };

  test('is read by the rules of the file', () => {
    const read = parseService(
      { name: 'Shop', type: 'cache_redis', config: { host: 'r', password: 'p', default_ttl: 5 } },
      roles,
    );

    expect(read).toMatchObject({
      definition: { name: 'shop', is_active: true, config: { host: 'r', password: 'p', default_ttl: 5 } },
      config: { name: 'shop', label: 'shop', defaultTtlMinutes: 5, redis: { kind: 'standalone', host: 'r' } },
    });
  });

  test.for<[string, unknown, string[]]>([
    ['no object', 'x', ['']],
    ['several faults', { name: 'queues', type: 'x', config: { port: 0 } }, ['name', 'type', 'config.port']],
    ['an unknown setting', { name: 'a', type: 'cache_local', config: { hosts: 1 } }, ['config.hosts']],
    ['a Redis for a disk', { name: 'a', type: 'cache_local', config: { host: 'r' } }, ['config.host']],
    [
      'variables and files of the server',
      {
        name: 'a',
        type: 'cache_redis',
        config: {
          password: { env: 'A' },
          options: { sentinels: ['s'], sentinel_password: { env: 'B' }, tls: { ca: '/a', key: '/b' } },
        },
      },
      [
        'config.password',
        'config.options.sentinel_password',
        'config.options.tls.ca',
        'config.options.tls.key',
      ],
    ],
  ])('with %s is refused with the places', ([, given, places]) => {
    expect(faultsOf(given)).toEqual(places);
  });

  test('with a faulty password tells nothing of it', () => {
    const read = parseService({ name: 'a', type: 'cache_redis', config: { password: ['hush'] } }, roles);

    expect(JSON.stringify(read)).not.toContain('hush');
  });
});
