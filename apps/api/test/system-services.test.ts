import { Secret } from '@sluice/config';
import { TEST_REDIS_URL, testServer } from '@sluice/redis/testing';
import { describe, expect, it, vi } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

const PATH = '/api/v2/system/service';
const PASSWORD = 'canary-password-0123456789';
const ORDERS = {
  name: 'orders',
  label: 'Orders Cache',
  description: 'Cached orders',
  type: 'cache_redis',
  config: { default_ttl: 5 },
};

const post = (api: TestApi, json: unknown, key?: string) =>
  api.call(PATH, { method: 'POST', json, ...(key && { key }) });

async function created(api: TestApi, json: unknown): Promise<Record<string, unknown>> {
  const answer = await post(api, { resource: [json] });
  const body = (await answer.json()) as { resource: Record<string, unknown>[] };
  expect(answer.status, JSON.stringify(body)).toBe(201);
  return body.resource[0] as Record<string, unknown>;
}

/** Where the run's Redis is, as the form of a service has it. */
function place() {
  const { hostname, port, pathname, username, password } = new URL(process.env[TEST_REDIS_URL] ?? '');
  return {
    host: hostname,
    port: Number(port),
    database_index: Number(pathname.slice(1) || 0),
    ...(username && { username }),
    ...(password && { password }),
  };
}

/** Two servers of one installation. */
async function startTwo(t: Parameters<typeof startApi>[0]) {
  const SLUICE_SECRET = 'one secret of the whole installation';
  const first = await startApi(t, { SLUICE_SECRET });
  const second = await startApi(t, { SLUICE_SECRET, REDIS_PREFIX: first.redis.prefix });
  return { first, second };
}

const within2s = { timeout: 2_000, interval: 20 };

async function reasonOf(answer: Response): Promise<unknown> {
  const body = (await answer.json()) as { error: { context: { reason: string } } };
  return [answer.status, body.error.context.reason];
}

describe('a cache service made at run time', () => {
  it('is told in the published shape, and serves the published calls at once', async (t) => {
    const api = await startApi(t);

    const told = await created(api, ORDERS);

    const author = { kind: 'key', id: expect.any(String), label: 'SLUICE_API_KEY' };
    expect(told).toEqual({
      ...ORDERS,
      is_active: true,
      problem: null,
      origin: 'system',
      version: 1,
      mutable: true,
      deletable: true,
      created_date: expect.any(String),
      created_by: author,
      last_modified_date: expect.any(String),
      last_modified_by: author,
      config: { default_ttl: 5, has_password: false, options: { unavailable_status: 500, post_status: 201 } },
    });
    const stored = await api.call('/api/v2/orders', {
      method: 'POST',
      json: { resource: [{ key: 'a', value: 1 }] },
    });
    expect(stored.status).toBe(201);
    expect(await (await api.call('/api/v2/orders/a?include_ttl=true')).json()).toEqual({
      key: 'a',
      value: 1,
      ttl: 300,
    });
    expect(await api.redis.allKeys()).toContain(`${api.redis.prefix}:cache:orders:a`);
  });

  it('is served, changed and gone on every server within two seconds', async (t) => {
    const { first, second } = await startTwo(t);
    const statusOnSecond = async () => (await second.call('/api/v2/orders?keys=a')).status;
    expect(await statusOnSecond()).toBe(404);

    await created(first, ORDERS);
    await vi.waitFor(async () => expect(await statusOnSecond()).toBe(200), within2s);
    await first.call(`${PATH}/orders`, { method: 'PATCH', json: { is_active: false } });
    await vi.waitFor(async () => expect(await statusOnSecond()).toBe(403), within2s);
    await first.call(`${PATH}/orders`, { method: 'PATCH', json: { is_active: true } });
    await vi.waitFor(async () => expect(await statusOnSecond()).toBe(200), within2s);
    await first.call(`${PATH}/orders`, { method: 'DELETE' });
    await vi.waitFor(async () => expect(await statusOnSecond()).toBe(404), within2s);
  });

  it('goes to another Redis when its host changes, and lets calls under way finish', async (t) => {
    // A change of the host alone leaves the user as he is.
    const { username = 'default', password } = place();
    const user = `user ${username} on ${password ? `>${password}` : 'nopass'} ~* &* +@all`;
    const other = await testServer(t, { settings: ['save ""', user] });
    const api = await startApi(t);
    await created(api, { ...ORDERS, config: place() });
    const put = (value: string) =>
      api.call('/api/v2/orders', { method: 'POST', json: { resource: [{ key: 'where', value }] } });
    const read = async () =>
      ((await (await api.call('/api/v2/orders/where')).json()) as { value?: string }).value;
    await put('here');

    const calls = Array.from({ length: 50 }, () => api.call('/api/v2/orders/where'));
    const changed = await api.call(`${PATH}/orders`, {
      method: 'PATCH',
      json: { config: { host: '127.0.0.1', port: other.port, database_index: 0 } },
    });

    expect(changed.status).toBe(200);
    expect((await Promise.all(calls)).map(({ status }) => status).filter((status) => status >= 500)).toEqual(
      [],
    );
    await vi.waitFor(async () => expect((await put('there')).status).toBe(201), within2s);
    expect(await read()).toBe('there');
    await api.call(`${PATH}/orders`, { method: 'PATCH', json: { config: place() } });
    await vi.waitFor(async () => expect(await read()).toBe('here'), within2s);
  });

  it('lets a call that waits finish on what it began with, and closes that connection afterwards', async (t) => {
    const own = await testServer(t);
    const observer = own.connect('request');
    const connections = async () => {
      const list = (await observer.client('LIST')) as string;
      return list.split('\n').filter((line) => line.includes('sluice:api-cache-orders')).length;
    };
    const api = await startApi(t);
    await created(api, { ...ORDERS, config: { host: '127.0.0.1', port: own.port } });
    const lease = (wait_ms: number) =>
      api.call('/api/v2/orders/_ops/lease', {
        method: 'POST',
        json: { key: 'a', lease_ms: 20_000, wait_ms },
      });
    const { lease: token } = (await (await lease(0)).json()) as { lease: string };
    const scripts = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await observer.info('commandstats'))?.[1] ?? 0);
    const before = await scripts();
    const waiting = lease(10_000);
    await vi.waitFor(async () => expect(await scripts()).toBeGreaterThan(before));

    await api.call(`${PATH}/orders`, { method: 'PATCH', json: { label: 'Moved' } });
    await vi.waitFor(async () => expect(await connections()).toBe(2), within2s);
    const filled = await api.call('/api/v2/orders/_ops/fill', {
      method: 'POST',
      json: { key: 'a', lease: token, value: 'filled' },
    });

    expect(filled.status).toBe(200);
    expect(await (await waiting).json()).toMatchObject({ state: 'hit', value: 'filled' });
    await vi.waitFor(async () => expect(await connections()).toBe(1), within2s);
    await api.call(`${PATH}/orders`, { method: 'DELETE' });
    await vi.waitFor(async () => expect(await connections()).toBe(0), within2s);
  });

  it('keeps its values when it is removed, unless they are flushed', async (t) => {
    const api = await startApi(t);
    const key = await api.makeKey(['system:*', 'cache:read', 'cache:write']);
    for (const path of ['orders', 'orders?flush=true']) {
      await created(api, ORDERS);
      await api.call('/api/v2/orders', { method: 'POST', json: { resource: [{ key: 'a', value: 1 }] } });
      expect((await api.call(`${PATH}/orders?flush=true`, { method: 'DELETE', key })).status).toBe(403);

      expect(await (await api.call(`${PATH}/${path}`, { method: 'DELETE' })).json()).toEqual({
        name: 'orders',
        success: true,
      });

      const isKept = (await api.redis.allKeys()).includes(`${api.redis.prefix}:cache:orders:a`);
      expect([path, isKept]).toEqual([path, !path.includes('flush')]);
    }
  });

  it('is made once, however many ask at the same time', async (t) => {
    const { first, second } = await startTwo(t);

    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => post(i % 2 ? first : second, { resource: [ORDERS] })),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(11).fill(409)]);
    const lost = answers.find(({ status }) => status === 409) as Response;
    expect(await reasonOf(lost)).toEqual([409, 'name_taken']);
  });

  it('is made with all of a list or none of it', async (t) => {
    const api = await startApi(t);

    const refused = await post(api, { resource: [ORDERS, { ...ORDERS, name: 'queues' }, ORDERS] });
    const body = (await refused.json()) as { error: { code: number; context: { error: number[] } } };
    const made = await post(api, { resource: [ORDERS, { ...ORDERS, name: 'carts' }] });

    expect([refused.status, body.error.code, body.error.context.error]).toEqual([400, 1000, [1, 2]]);
    expect(made.status).toBe(201);
  });

  it('that changed since it was read is not changed over', async (t) => {
    const api = await startApi(t);
    await created(api, ORDERS);
    const etag = (await api.call(`${PATH}/orders`)).headers.get('etag') as string;
    const patch = (label: string) =>
      api.call(`${PATH}/orders`, { method: 'PATCH', json: { label }, headers: { 'If-Match': etag } });

    const [won, lost] = [await patch('first'), await patch('second')];

    expect(won.status).toBe(200);
    expect(await reasonOf(lost)).toEqual([412, 'version_mismatch']);
    await api.call('/api/v2/orders', { method: 'POST', json: { resource: [{ key: 'a', value: 1 }] } });
    const headers = { 'If-Match': etag };
    const removal = await api.call(`${PATH}/orders?flush=true`, { method: 'DELETE', headers });
    expect(removal.status).toBe(412);
    expect((await api.call('/api/v2/orders/a')).status).toBe(200);
    expect(await (await api.call(`${PATH}/orders`)).json()).toMatchObject({ label: 'first' });
  });

  it('can be sent back as it was told', async (t) => {
    const api = await startApi(t);
    await created(api, { ...ORDERS, config: { ...place(), options: { near: { max_entries: 10 } } } });
    const told = (await (await api.call(`${PATH}/orders`)).json()) as Record<string, unknown>;

    const answer = await api.call(`${PATH}/orders`, { method: 'PUT', json: told });

    const { version, last_modified_date, ...before } = told;
    expect(await answer.json()).toEqual({
      ...before,
      version: (version as number) + 1,
      last_modified_date: expect.any(String),
    });
  });
});

describe('what is not taken', () => {
  it.for<[string, unknown, string]>([
    ['a name of ours', { ...ORDERS, name: 'queues' }, 'name'],
    ['a name that leaves its place', { ...ORDERS, name: '../x' }, 'name'],
    ['no name', { type: 'cache_redis' }, 'name'],
    ['another type', { ...ORDERS, type: 'cache_memcached' }, 'type'],
    ['a port that is none', { ...ORDERS, config: { port: 70_000 } }, 'config.port'],
    ['a database that is none', { ...ORDERS, config: { database_index: 16 } }, 'config.database_index'],
    ['a setting nobody knows', { ...ORDERS, config: { hosts: 'a' } }, 'config.hosts'],
    [
      'two places',
      { ...ORDERS, config: { host: 'a', options: { cluster_nodes: ['b'] } } },
      'config.options.cluster_nodes',
    ],
    [
      'a variable for a password',
      { ...ORDERS, config: { password: { env: 'SLUICE_SECRET' } } },
      'config.password',
    ],
    [
      'a file of the server',
      { ...ORDERS, config: { options: { tls: { key: '/etc/shadow' } } } },
      'config.options.tls.key',
    ],
    [
      'a flush of everything',
      { ...ORDERS, config: { options: { key_prefix: '' } } },
      'config.options.flush_policy',
    ],
  ])('%s is 400 with its place, and nothing is written', async ([, json, path], t) => {
    const api = await startApi(t);
    const systemKeys = async () => (await api.redis.allKeys()).filter((key) => key.includes(':records'));

    const answer = await post(api, { resource: [json] });

    const body = (await answer.json()) as {
      error: { context: { reason: string; issues: { path: string }[] } };
    };
    expect([answer.status, body.error.context.reason]).toEqual([400, 'record_invalid']);
    expect(body.error.context.issues.map((issue) => issue.path)).toContain(path);
    expect(await systemKeys()).toEqual([]);
    expect((await api.call(`${PATH}/orders`)).status).toBe(404);
  });

  it('a change of the configured service, which is listed first and read-only', async (t) => {
    const api = await startApi(t);

    const { resource } = (await (await api.call(PATH)).json()) as { resource: Record<string, unknown>[] };
    const answers = [
      await post(api, { resource: [{ ...ORDERS, name: 'redis' }] }),
      await api.call(`${PATH}/redis`, { method: 'PATCH', json: { label: 'x' } }),
      await api.call(`${PATH}/redis`, { method: 'DELETE' }),
      await api.call(`${PATH}/redis?flush=true`, { method: 'DELETE' }),
    ];

    expect(resource).toEqual([
      expect.objectContaining({ name: 'redis', origin: 'configuration', mutable: false, deletable: false }),
    ]);
    for (const answer of answers) expect(await reasonOf(answer)).toEqual([409, 'record_read_only']);
  });

  it('a new name for a service', async (t) => {
    const api = await startApi(t);
    await created(api, ORDERS);

    const answer = await api.call(`${PATH}/orders`, { method: 'PATCH', json: { name: 'carts' } });

    expect(await reasonOf(answer)).toEqual([400, 'record_invalid']);
  });

  it('a change by a key that may only look', async (t) => {
    const api = await startApi(t);
    await created(api, ORDERS);
    const key = await api.makeKey(['system:read']);

    const statuses = [
      (await api.call(PATH, { key })).status,
      (await post(api, { resource: [ORDERS] }, key)).status,
      (await api.call(`${PATH}/orders`, { method: 'DELETE', key })).status,
      (await api.call(`${PATH}/_test`, { method: 'POST', json: {}, key })).status,
      (await api.call(`${PATH}/orders/_test`, { method: 'POST', key })).status,
    ];

    expect(statuses).toEqual([200, 403, 403, 403, 403]);
  });
});

describe('the password of a service', () => {
  it('opens its Redis and is found nowhere: not in Redis, answers, the trail or the log', async (t) => {
    const guarded = await testServer(t, {
      settings: ['save ""', `requirepass ${PASSWORD}`],
      config: { password: new Secret(PASSWORD) },
    });
    const { port } = guarded;
    const api = await startApi(t);
    const answers: string[] = [];
    const call = async (...parts: Parameters<TestApi['call']>) => {
      const answer = await api.call(...parts);
      answers.push(await answer.clone().text());
      return answer;
    };
    const config = { host: '127.0.0.1', port, password: PASSWORD };

    await call(PATH, { method: 'POST', json: { resource: [{ ...ORDERS, config }] } });
    const read = () => call('/api/v2/orders?keys=a');
    await vi.waitFor(async () => expect((await read()).status).toBe(200), within2s);
    await call(`${PATH}/orders`, { method: 'PATCH', json: { label: 'Renamed' } });
    await vi.waitFor(async () => expect((await read()).status).toBe(200), within2s);
    await call(`${PATH}/orders`, {
      method: 'PUT',
      json: { ...ORDERS, config: { host: '127.0.0.1', port } },
    });
    await vi.waitFor(async () => expect((await read()).status).toBe(200), within2s);
    await call(`${PATH}/orders/_test`, { method: 'POST' });
    await call(`${PATH}/_test`, { method: 'POST', json: { config } });
    await call(`${PATH}/orders`, { method: 'PATCH', json: { config: { password: [PASSWORD] } } });
    await call(`${PATH}/orders`, { method: 'PATCH', json: { config: { password: PASSWORD, port: 'x' } } });
    await call(`${PATH}/orders`);
    await call(PATH);
    await call('/api/v2/system/audit');
    expect(JSON.parse(answers.at(-3) as string)).toMatchObject({ config: { has_password: true } });
    const sealed = await Promise.all((await api.redis.allKeys()).map((key) => dumpOf(api, key)));
    expect(sealed.join('\n')).toContain('v1.');

    await call(`${PATH}/orders`, { method: 'PATCH', json: { config: { password: null } } });

    expect(await (await call(`${PATH}/orders`)).json()).toMatchObject({ config: { has_password: false } });
    await vi.waitFor(async () => {
      expect(await (await read()).json()).toMatchObject({
        error: { message: 'NOAUTH Authentication required' },
      });
    }, within2s);
    const dump = await Promise.all((await api.redis.allKeys()).map((key) => dumpOf(api, key)));
    for (const text of [...answers, ...dump, api.logged()]) expect(text).not.toContain(PASSWORD);
  });

  it('made with another master secret is a problem of that service alone, until it is set anew', async (t) => {
    const first = await startApi(t, { SLUICE_SECRET: 'a'.repeat(32) });
    await created(first, { ...ORDERS, config: { ...place(), password: 'whatever' } });
    const variables = { REDIS_PREFIX: first.redis.prefix, SLUICE_SECRET: 'a'.repeat(32) };
    const second = await startApi(t, variables);
    await created(first, { ...ORDERS, name: 'carts' });
    // The keys of both are made with one secret; the seal alone is broken.
    const field = 'service:orders';
    const records = `${first.redis.prefix}:system:{${first.redis.prefix}:system:keys}:records`;
    const text = (await first.redis.client.hget(records, field)) as string;
    await first.redis.client.hset(
      records,
      field,
      text.replace(/v1\.[\w-]{8}/, 'v1.AAAAAAAA').replace('"version":1', '"version":99'),
      '@stamp',
      'x',
    );

    await vi.waitFor(async () => {
      expect(await reasonOf(await second.call('/api/v2/orders?keys=a'))).toEqual([500, 'secret_changed']);
    }, within2s);
    expect((await second.call('/api/v2/carts?keys=a')).status).toBe(200);
    const { problem } = (await (await second.call(`${PATH}/orders`)).json()) as { problem: string };
    expect(problem).toContain('another master secret');
    const mended = await second.call(`${PATH}/orders`, {
      method: 'PATCH',
      json: { config: { password: null } },
    });
    expect([mended.status, ((await mended.json()) as { problem: unknown }).problem]).toEqual([200, null]);
  });
});

describe('the test of a connection', () => {
  const test = async (api: TestApi, config: unknown) => {
    const startedAt = performance.now();
    const answer = await api.call(`${PATH}/_test`, { method: 'POST', json: { config } });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(answer.status).toBe(200);
    return (await answer.json()) as Record<string, unknown>;
  };

  it('tells how Redis answers, and what will hurt', async (t) => {
    const api = await startApi(t);

    expect(await test(api, place())).toEqual({
      reachable: true,
      authenticated: true,
      latency_ms: expect.any(Number),
      server_version: expect.stringMatching(/^\d+\./),
      fault: null,
      warnings: ['maxmemory is 0: the cache grows until the machine has no memory left.'],
    });
  });

  it('tells an address where nobody is from a password that is wrong, within two seconds', async (t) => {
    const guarded = await testServer(t, {
      settings: ['save ""', `requirepass ${PASSWORD}`],
      config: { password: new Secret(PASSWORD) },
    });
    const { port } = guarded;
    const host = '127.0.0.1';
    const api = await startApi(t);
    const nothing = { latency_ms: null, server_version: null, warnings: [] };

    expect(await test(api, { host: '127.0.0.1', port: 1 })).toEqual({
      reachable: false,
      authenticated: false,
      fault: 'unavailable',
      ...nothing,
    });
    for (const password of ['wrong', null]) {
      expect(await test(api, { host, port, password })).toEqual({
        reachable: true,
        authenticated: false,
        fault: 'auth',
        ...nothing,
      });
    }
  });

  it('gives up on one that says nothing', async (t) => {
    const silent = await testServer(t);
    silent.pause();
    const api = await startApi(t);

    expect(await test(api, { host: '127.0.0.1', port: silent.port })).toMatchObject({
      reachable: false,
      fault: 'unavailable',
    });
  });

  it('is for a stored service too', async (t) => {
    const api = await startApi(t);
    await created(api, { ...ORDERS, config: { host: '127.0.0.1', port: 1 } });

    const [stored, configured, unknown] = await Promise.all(
      ['orders', 'redis', 'nothing'].map((name) => api.call(`${PATH}/${name}/_test`, { method: 'POST' })),
    );

    expect(await stored?.json()).toMatchObject({ reachable: false, fault: 'unavailable' });
    expect(await configured?.json()).toMatchObject({ reachable: true, fault: null });
    expect(await reasonOf(unknown as Response)).toEqual([404, 'record_unknown']);
  });
});

describe('a service whose Redis is nowhere', () => {
  it('takes nothing down: this server is ready, and others are served', async (t) => {
    const api = await startApi(t);
    await created(api, { ...ORDERS, config: { host: '127.0.0.1', port: 1 } });

    expect((await api.call('/api/v2/orders/a')).status).toBe(500);
    expect((await api.call('/readyz')).status).toBe(200);
    expect((await api.call('/api/v2/redis?keys=a')).status).toBe(200);
  });
});

async function dumpOf({ redis: { client } }: TestApi, key: string): Promise<string> {
  switch (await client.type(key)) {
    case 'string':
      return (await client.get(key)) ?? '';
    case 'hash':
      return JSON.stringify(await client.hgetall(key));
    case 'stream':
      return JSON.stringify(await client.xrange(key, '-', '+'));
    case 'list':
      return JSON.stringify(await client.lrange(key, 0, -1));
    case 'set':
      return JSON.stringify(await client.smembers(key));
    default:
      return JSON.stringify(await client.zrange(key, '0', '-1'));
  }
}
