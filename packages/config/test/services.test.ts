import { describe, expect, test } from 'vitest';
import {
  ConfigError,
  Env,
  type EnvironmentVariables,
  parseService,
  parseServices,
  readRoles,
} from '../src/index.ts';

const CANARY = 'canary-hunter2';
const DEFAULT_OPTIONS = {
  keyPrefix: undefined,
  flushPolicy: 'open',
  unavailableStatus: 500,
  postStatus: 201,
  maxValueBytes: undefined,
  deflateOverBytes: undefined,
  near: undefined,
};

function parse(file: unknown, variables: EnvironmentVariables = {}) {
  const env = new Env(variables);
  const text = file === undefined || typeof file === 'string' ? file : JSON.stringify(file);
  const services = parseServices({ text, origin: 'sluice.config.json', env, roles: readRoles(env) });
  env.finish();
  return services;
}

function faults(file: unknown, variables: EnvironmentVariables = {}): string[] {
  try {
    parse(file, variables);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain(CANARY);
    return error.faults.map(({ name, got, wanted }) => `${name}: got ${got}, wanted ${wanted}`);
  }
}

const one = (service: object) => ({ services: [{ name: 'main', type: 'cache_redis', ...service }] });
const withOptions = (options: object) => one({ config: { host: 'h', options } });

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

describe('what is wrong is told with its place', () => {
  const wrong: [unknown, string[]][] = [
    [
      '{',
      ['sluice.config.json: got a text that is not JSON, wanted JSON without comments or trailing commas'],
    ],
    [
      `{"password": "${CANARY}",}`,
      ['sluice.config.json: got a text that is not JSON, wanted JSON without comments or trailing commas'],
    ],
    [
      one({ name: 'a b' }),
      [
        "sluice.config.json services[0].name: got 'a b', wanted 1 to 40 letters, digits, hyphens or underscores",
      ],
    ],
    [one({ name: 'x'.repeat(41) }), [expect.stringContaining('services[0].name: got ')]],
    [
      one({ name: undefined }),
      [
        'sluice.config.json services[0].name: got nothing, wanted 1 to 40 letters, digits, hyphens or underscores',
      ],
    ],
    [
      one({ name: 'Queues' }),
      [
        expect.stringContaining(
          "services[0].name: got 'Queues', wanted a name that is none of system, queues,",
        ),
      ],
    ],
    [
      one({ type: 'redis' }),
      ["sluice.config.json services[0].type: got 'redis', wanted one of cache_redis, cache_local"],
    ],
    [one({ is_active: 1 }), ["sluice.config.json services[0].is_active: got '1', wanted true or false"]],
    [
      one({ config: { port: '6379' } }),
      ["sluice.config.json services[0].config.port: got '6379', wanted a whole number from 1 to 65535"],
    ],
    [
      one({ config: { database_index: 16 } }),
      ["sluice.config.json services[0].config.database_index: got '16', wanted a whole number from 0 to 15"],
    ],
    [
      one({ config: { default_ttl: -1 } }),
      [
        "sluice.config.json services[0].config.default_ttl: got '-1', wanted a whole number from 0 to 5256000",
      ],
    ],
    [
      one({ config: { host: `redis://:${CANARY}@h` } }),
      [expect.stringContaining('services[0].config.host: got a text that is not shown')],
    ],
    [
      one({ config: { hots: 'h' } }),
      [
        'sluice.config.json services[0].config.hots: got an unknown setting, wanted one that exists, at its place',
      ],
    ],
    [
      { ...one({}), limit: [] },
      ['sluice.config.json.limit: got an unknown setting, wanted one that exists, at its place'],
    ],
    [
      one({ config: { password: { file: CANARY } } }),
      [
        'sluice.config.json services[0].config.password: got an object (not shown), wanted the password, or {"env": "NAME"} with the variable that holds it',
      ],
    ],
    [
      one({ config: { password: { env: 'NOT_SET' } } }),
      [
        'sluice.config.json services[0].config.password: got the variable NOT_SET, which is not set, wanted a variable that holds the password',
      ],
    ],
    [
      withOptions({ tls: 'yes' }),
      [
        expect.stringContaining(
          "services[0].config.options.tls: got 'yes', wanted true, false, or the paths",
        ),
      ],
    ],
    [
      withOptions({ flush_policy: 'never' }),
      [
        "sluice.config.json services[0].config.options.flush_policy: got 'never', wanted one of open, confirm, deny",
      ],
    ],
    [
      withOptions({ unavailable_status: 502 }),
      ["sluice.config.json services[0].config.options.unavailable_status: got '502', wanted one of 500, 503"],
    ],
    [
      withOptions({ max_value_bytes: 0 }),
      [
        "sluice.config.json services[0].config.options.max_value_bytes: got '0', wanted a whole number from 1 to 536870912",
      ],
    ],
    [
      { services: [{ name: 'main', type: 'cache_local', config: { options: { near: {} } } }] },
      [
        'sluice.config.json services[0].config.options.near: got entries near a service on disk, wanted none, for changes by other processes are told by Redis alone',
      ],
    ],
    [
      withOptions({ sentinels: ['s'] }),
      [
        'sluice.config.json services[0].config.options.sentinels: got a second place beside config.host, wanted one of host, sentinels, cluster_nodes',
      ],
    ],
    [
      withOptions({ key_prefix: '' }),
      [
        "sluice.config.json services[0].config.options.flush_policy: got 'open' beside an empty key_prefix, wanted confirm or deny, for a flush would remove every key of the database",
      ],
    ],
    [
      one({ config: { database_index: 1, options: { cluster_nodes: ['a'] } } }),
      [
        'sluice.config.json services[0].config.database_index: got 1 in a Cluster, wanted 0, the only database of a Redis Cluster',
      ],
    ],
    [
      one({ type: 'cache_local', config: { host: 'h', options: { tls: true } } }),
      [
        'sluice.config.json services[0].config.host: got a setting of Redis, wanted none, for cache_local keeps its values on disk',
        'sluice.config.json services[0].config.options.tls: got a setting of Redis, wanted none, for cache_local keeps its values on disk',
      ],
    ],
    [
      {
        services: [
          { name: 'A', type: 'cache_local' },
          { name: 'a', type: 'cache_local' },
        ],
      },
      [
        "sluice.config.json services[1].name: got 'a' once more, wanted a name of its own (case does not matter)",
      ],
    ],
    [{ services: [] }, [expect.stringContaining('sluice.config.json services: got a list of 0')]],
    [{}, ['sluice.config.json services: got nothing, wanted a list of services']],
    ['[]', [expect.stringContaining('sluice.config.json: got a list of 0')]],
    ['null', [expect.stringContaining('sluice.config.json: got null')]],
    [
      '{"__proto__": {"services": []}}',
      [
        'sluice.config.json services: got nothing, wanted a list of services',
        'sluice.config.json.__proto__: got an unknown setting, wanted one that exists, at its place',
      ],
    ],
  ];
  for (const [file, expected] of wrong) {
    test(typeof file === 'string' ? file : JSON.stringify(file), () => {
      expect(faults(file)).toEqual(expected);
    });
  }

  test('all at once, and together with the environment', () => {
    const file = { services: [{ name: '?', type: 'x', config: { port: 0 } }, { name: 'ok' }] };

    expect(faults(file, { REDIS_PORT: 'x' }).map((fault) => fault.split(':')[0])).toEqual([
      'REDIS_PORT',
      'sluice.config.json services[0].name',
      'sluice.config.json services[0].type',
      'sluice.config.json services[0].config.port',
      'sluice.config.json services[1].type',
    ]);
  });

  test('a fault shows an example of its field', () => {
    expect(() => parse(one({ config: { port: 'x' } }))).toThrow(
      /port: got 'x', wanted a whole number from 1 to 65535, for example 6379$/,
    );
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
