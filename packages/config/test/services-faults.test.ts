import { describe, expect, test } from 'vitest';
import { CANARY, faults, one, parse, withOptions } from './services-setup.ts';

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
