/**
 * This file owns the published page's word on the cache API: each of its examples, sent as it stands there and answered to
 * the letter, and each row of its tables.
 */
import { Secret } from '@sluice/config';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../apps/api/test/harness.ts';

const DRIVERS = ['redis', 'file'] as const;

describe.each(DRIVERS)('the published page, CACHE_DRIVER=%s', (driver) => {
  it('stores a value', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });

    const response = await post(
      api,
      `{
"resource": [
{
"key": "user:123:profile",
"value": {"name": "John Doe", "email": "john@example.com"},
"ttl": 3600
}
]
}`,
    );

    expect(response.status).toBe(201);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.json()).toStrictEqual({ resource: [{ key: 'user:123:profile', success: true }] });
    expect(await ttlOf(api, 'user:123:profile')).toEqual(about(3_600));
  });

  it('stores multiple values', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });

    const response = await post(
      api,
      `{
"resource": [
{"key": "setting:theme", "value": "dark", "ttl": 86400},
{"key": "setting:language", "value": "en", "ttl": 86400},
{"key": "setting:timezone", "value": "UTC", "ttl": 86400}
]
}`,
    );

    expect(await response.json()).toStrictEqual({
      resource: [
        { key: 'setting:theme', success: true },
        { key: 'setting:language', success: true },
        { key: 'setting:timezone', success: true },
      ],
    });
    for (const [key, value] of [
      ['setting:theme', 'dark'],
      ['setting:language', 'en'],
      ['setting:timezone', 'UTC'],
    ]) {
      expect(await (await api.call(`/api/v2/redis/${key}`)).json()).toStrictEqual({ key, value });
      expect(await ttlOf(api, key as string)).toEqual(about(86_400));
    }
  });

  it('retrieves a value, exactly these two members', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });
    await storeProfile(api);

    const response = await api.call('/api/v2/redis/user:123:profile');

    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual({
      key: 'user:123:profile',
      value: { name: 'John Doe', email: 'john@example.com' },
    });
  });

  it('deletes a key', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });
    await storeProfile(api);

    const response = await api.call('/api/v2/redis/user:123:profile', { method: 'DELETE' });

    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual({ key: 'user:123:profile', success: true });
    expect((await api.call('/api/v2/redis/user:123:profile')).status).toBe(404);
  });

  it('checks if a key exists', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });
    await storeProfile(api);

    const present = await api.call('/api/v2/redis/user:123:profile?check_exist=true');
    const absent = await api.call('/api/v2/redis/user:124:profile?check_exist=true');

    expect(await present.json()).toStrictEqual({ key: 'user:123:profile', exists: true });
    expect(absent.status).toBe(200);
    expect(await absent.json()).toStrictEqual({ key: 'user:124:profile', exists: false });
  });

  it('lists all keys', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });
    await storeProfile(api);
    await post(api, '{"resource":[{"key":"a","value":1}]}');

    const response = await api.call('/api/v2/redis/');

    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual({ resource: [{ key: 'a' }, { key: 'user:123:profile' }] });
  });

  it('updates an existing key and creates none', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });
    await storeProfile(api);
    const update = (key: string) =>
      api.call(`/api/v2/redis/${key}`, { method: 'PUT', json: { value: { name: 'Jane' } } });

    const updated = await update('user:123:profile');
    const absent = await update('user:124:profile');

    expect(updated.status).toBe(200);
    expect(await updated.json()).toStrictEqual({ key: 'user:123:profile', success: true });
    expect(absent.status).toBe(404);
    expect(await (await api.call('/api/v2/redis/user:123:profile')).json()).toStrictEqual({
      key: 'user:123:profile',
      value: { name: 'Jane' },
    });
  });

  it('flushes all keys of this service', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });
    await storeProfile(api);

    const response = await api.call('/api/v2/redis', { method: 'DELETE' });

    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual({ success: true, deleted: 1 });
    expect(await (await api.call('/api/v2/redis/')).json()).toStrictEqual({ resource: [] });
  });

  it.for([
    ['a positive integer expires after as many seconds', 1_800, 1_800],
    ['0 persists indefinitely', 0, 0],
    ['-1 uses the default of the service, 300 minutes', -1, 18_000],
    ['none uses the default as well', undefined, 18_000],
    ['an integer in a string is read as one', '300', 300],
  ] as const)('TTL table: %s', async ([, ttl, left], t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });

    const response = await post(api, JSON.stringify({ resource: [{ key: 'k', value: 1, ttl }] }));

    expect(response.status).toBe(201);
    expect(await ttlOf(api, 'k')).toEqual(left === 0 ? 0 : about(left));
  });

  it.for([-2, 1.5, '1.5', 'abc', '', null, true, {}, 315_360_001])(
    'TTL table: %j is none',
    async (ttl, t) => {
      const api = await startApi(t, { CACHE_DRIVER: driver });

      const response = await post(api, JSON.stringify({ resource: [{ key: 'k', value: 1, ttl }] }));

      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: { code: 1000, status_code: 400, context: { reason: 'batch_failed', error: [0] } },
      });
      expect((await api.call('/api/v2/redis/k')).status).toBe(404);
    },
  );

  it('error table: 400 for an invalid key or value', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });

    const badKey = await api.call('/api/v2/redis/a%00b');
    const noValue = await post(api, '{"resource":[{"key":"k"}]}');
    const notJson = await post(api, '{"resource":');

    expect(badKey.status).toBe(400);
    expect(await badKey.json()).toMatchObject({ error: { code: 400, context: { reason: 'key_invalid' } } });
    expect(noValue.status).toBe(400);
    expect(notJson.status).toBe(400);
    expect(await notJson.json()).toMatchObject({ error: { code: 400, context: { reason: 'json_invalid' } } });
  });

  it('error table: 401 for a missing API key', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });

    const missing = await api.call('/api/v2/redis/k', { key: null });
    const unknown = await api.call('/api/v2/redis/k', { key: 'x'.repeat(40) });

    expect(missing.status).toBe(401);
    expect(await missing.json()).toMatchObject({ error: { code: 401, status_code: 401 } });
    expect(unknown.status).toBe(401);
  });

  it('error table: 404 for a key that does not exist', async (t) => {
    const api = await startApi(t, { CACHE_DRIVER: driver });

    for (const method of ['GET', 'DELETE']) {
      const response = await api.call('/api/v2/redis/nope', { method });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({
        error: {
          code: 404,
          status_code: 404,
          message: "No value found for key 'nope'.",
          context: { reason: 'key_not_found' },
        },
      });
    }
  });
});

describe('the published page, Redis away', () => {
  it('error table: 500 Connection refused', async (t) => {
    const server = await testServer(t);
    const api = await startApi(t, { CACHE_URL: server.url });
    await server.stop();

    for (const [path, init] of EVERY_CALL) {
      const startedAt = performance.now();
      const response = await api.call(path, init);

      expect(await response.json(), `${init.method} ${path}`).toMatchObject({
        error: {
          code: 500,
          status_code: 500,
          message: 'Connection refused',
          context: { reason: 'cache_unavailable', outcome: 'not_attempted' },
        },
      });
      expect(response.status).toBe(500);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    }

    await server.start();
    await expect
      .poll(async () => (await api.call('/api/v2/redis/k')).status, { timeout: 2_000, interval: 20 })
      .toBe(404);
  });

  it('error table: 500 NOAUTH Authentication required', async (t) => {
    const server = await testServer(t, {
      settings: ['requirepass secret'],
      config: { password: new Secret('secret') },
    });
    const api = await startApi(t, { CACHE_URL: `redis://127.0.0.1:${server.port}/0` });

    const response = await api.call('/api/v2/redis/k');

    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({
      error: {
        code: 500,
        message: 'NOAUTH Authentication required',
        context: { reason: 'cache_unavailable' },
      },
    });
  });
});

const EVERY_CALL: readonly [path: string, init: RequestInit & { json?: unknown }][] = [
  ['/api/v2/redis/', { method: 'GET' }],
  ['/api/v2/redis?keys=a,b', { method: 'GET' }],
  ['/api/v2/redis/k', { method: 'GET' }],
  ['/api/v2/redis/k?check_exist=true', { method: 'GET' }],
  ['/api/v2/redis', { method: 'POST', json: { resource: [{ key: 'k', value: 1 }] } }],
  ['/api/v2/redis', { method: 'POST', json: { key: 'k', value: 1 } }],
  ['/api/v2/redis', { method: 'POST', json: { k: 1 } }],
  ['/api/v2/redis/k', { method: 'PUT', json: { value: 1 } }],
  ['/api/v2/redis/k', { method: 'DELETE' }],
  ['/api/v2/redis?keys=a,b', { method: 'DELETE' }],
  ['/api/v2/redis', { method: 'DELETE' }],
];

function post(api: TestApi, body: string): Promise<Response> {
  return api.call('/api/v2/redis', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
}

function storeProfile(api: TestApi): Promise<Response> {
  return post(
    api,
    '{"resource":[{"key":"user:123:profile","value":{"name": "John Doe", "email": "john@example.com"},"ttl":3600}]}',
  );
}

/** As the API tells it: seconds, 0 for no expiration. */
async function ttlOf(api: TestApi, key: string): Promise<number> {
  const response = await api.call(`/api/v2/redis/${key}?include_ttl=true`);
  return ((await response.json()) as { ttl: number }).ttl;
}

/** So many seconds left, or a few less on a machine that was busy meanwhile. */
function about(seconds: number): number {
  return expect.toBeOneOf([0, 1, 2, 3].map((less) => seconds - less));
}
