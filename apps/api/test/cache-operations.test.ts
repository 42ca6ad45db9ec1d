import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

describe('operations of a cache service', () => {
  it('incr counts within bounds, its ttl from the first step on', async (t) => {
    const api = await startApi(t);
    const incr = async (body: object) => {
      const response = await op(api, 'incr', { key: 'n', ...body });
      return [response.status, await response.json()];
    };

    expect(await incr({ ttl: 60 })).toEqual([200, { key: 'n', value: 1, applied: 1, ttl: about(60) }]);
    expect(await incr({ by: 2, ttl: 600, max: 3 })).toEqual([
      200,
      { key: 'n', value: 3, applied: 2, ttl: about(60) },
    ]);
    expect(await incr({ max: 3 })).toEqual([200, { key: 'n', value: 3, applied: 0, ttl: about(60) }]);
    expect(await incr({ by: -3, min: 0 })).toEqual([
      200,
      { key: 'n', value: 0, applied: -3, ttl: about(60) },
    ]);
    expect(await (await api.call('/api/v2/redis/n')).json()).toStrictEqual({ key: 'n', value: 0 });
    await api.call('/api/v2/redis', { method: 'POST', json: { key: 'text', value: '1' } });
    expect([
      (await op(api, 'incr', { key: 'text' })).status,
      (await op(api, 'incr', { key: 'n', by: 1.5 })).status,
    ]).toEqual([409, 400]);
  });

  it('lease lets one of many callers fill, and the others wait for the value', async (t) => {
    const api = await startApi(t);

    const first = (await (await op(api, 'lease', { key: 'k', lease_ms: 5_000 })).json()) as {
      state: string;
      lease: string;
    };
    const waiting = op(api, 'lease', { key: 'k', wait_ms: 5_000 });
    const held = await (await op(api, 'lease', { key: 'k' })).json();
    const filled = await op(api, 'fill', {
      key: 'k',
      lease: first.lease,
      value: { n: 1 },
      ttl: 60,
      grace: 60,
    });

    expect(first).toStrictEqual({
      key: 'k',
      state: 'granted',
      lease: expect.any(String),
      expires_in_ms: 5_000,
    });
    expect(held).toStrictEqual({ key: 'k', state: 'held', expires_in_ms: expect.any(Number) });
    expect([filled.status, await filled.json()]).toEqual([200, { key: 'k', success: true }]);
    expect(await (await waiting).json()).toStrictEqual({ key: 'k', state: 'hit', value: { n: 1 } });
    const again = await op(api, 'fill', { key: 'k', lease: first.lease, value: 2 });
    expect([again.status, await reasonOf(again)]).toEqual([409, 'cache_lease_lost']);
  });

  it('lease gives everybody the stale value, and one of them the lease as well', async (t) => {
    const api = await startApi(t);
    await api.call('/api/v2/redis', {
      method: 'POST',
      json: { resource: [{ key: 'k', value: [1.5], ttl: 60, grace: 600 }] },
    });
    await api.redis.client.pexpire(`${api.redis.prefix}:cache:redis:k`, 500_000);

    const granted = await (await op(api, 'lease', { key: 'k' })).json();
    const held = await (await op(api, 'lease', { key: 'k', wait_ms: 5_000 })).json();

    expect(granted).toMatchObject({ state: 'granted', lease: expect.any(String), stale: true, value: [1.5] });
    expect(held).toMatchObject({ state: 'held', stale: true, value: [1.5] });
  });

  it('a lease is renewed, released, and says that there is nothing', async (t) => {
    const api = await startApi(t);
    const lend = async () =>
      (await (await op(api, 'lease', { key: 'k' })).json()) as { state: string; lease: string };

    const first = await lend();
    const renewed = await op(api, 'renew', { key: 'k', lease: first.lease, lease_ms: 60_000 });
    const released = await op(api, 'release', { key: 'k', lease: first.lease });
    const second = await lend();
    await op(api, 'release', { key: 'k', lease: second.lease, missing_ms: 60_000 });

    expect([renewed.status, released.status, second.state]).toEqual([200, 200, 'granted']);
    expect(await lend()).toStrictEqual({ key: 'k', state: 'missing', expires_in_ms: expect.any(Number) });
    expect((await op(api, 'renew', { key: 'k', lease: first.lease })).status).toBe(409);
  });

  it('a wait for a lease ends at once when Redis is away', async (t) => {
    const server = await testServer(t);
    const api = await startApi(t, { CACHE_URL: server.url });
    await op(api, 'lease', { key: 'k', lease_ms: 60_000 });

    const waiting = op(api, 'lease', { key: 'k', wait_ms: 30_000 });
    await server.connect('worker').ping();
    const startedAt = performance.now();
    await server.kill();

    expect((await waiting).status).toBe(500);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it('purge-tags voids what bears the tag', async (t) => {
    const api = await startApi(t);
    await api.call('/api/v2/redis', {
      method: 'POST',
      json: {
        resource: [
          { key: 'a', value: 1, ttl: 60, tags: ['user:1'] },
          { key: 'b', value: 2, ttl: 60, tags: ['user:2'] },
        ],
      },
    });

    const response = await op(api, 'purge-tags', { tags: ['user:1', 'unknown'] });

    expect([response.status, await response.json()]).toEqual([200, { success: true, purged: 1 }]);
    expect(await (await api.call('/api/v2/redis?keys=a,b')).json()).toStrictEqual({
      resource: [
        { key: 'a', exists: false },
        { key: 'b', value: 2 },
      ],
    });
    expect((await op(api, 'purge-tags', { tags: [] })).status).toBe(400);
  });

  it('stats tell of this process and of the server', async (t) => {
    const api = await startApi(t);
    await api.call('/api/v2/redis', { method: 'POST', json: { key: 'a', value: 1 } });
    await api.call('/api/v2/redis/a');
    await api.call('/api/v2/redis/none');

    const stats = (await (await api.call('/api/v2/redis/_ops/stats')).json()) as {
      redis: Record<string, number>;
    };

    expect(stats).toMatchObject({ driver: 'redis', process: { hits: 1, misses: 1, stored: 1 } });
    expect(Object.keys(stats.redis)).toEqual([
      'used_memory_bytes',
      'max_memory_bytes',
      'evicted_keys',
      'expired_keys',
      'keyspace_hits',
      'keyspace_misses',
      'connected_clients',
    ]);
    expect(stats.redis.used_memory_bytes).toBeGreaterThan(0);
  });

  it('a scrape tells what each service did', async (t) => {
    const api = await startApi(t);
    await api.call('/api/v2/redis/none');

    const text = await (await api.call('/metrics')).text();

    expect(text).toMatch(/^sluice_cache_outcomes_total\{service="redis",outcome="miss"\} 1$/m);
    expect(text).toMatch(/^sluice_cache_outcomes_total\{service="redis",outcome="hit"\} 0$/m);
  });

  it('a service that keeps entries near lets every API see what another one changed', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-services-'));
    t.onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'sluice.config.json');
    const config = { options: { near: { max_entries: 100 }, deflate_over_bytes: 1_000 } };
    await writeFile(file, JSON.stringify({ services: [{ name: 'redis', type: 'cache_redis', config }] }));
    const shared = { SLUICE_CONFIG: file, SLUICE_SECRET: 's'.repeat(40) };
    const one = await startApi(t, shared);
    const other = await startApi(t, { ...shared, REDIS_PREFIX: one.redis.prefix });
    const nearHits = async (api: TestApi) => {
      const stats = await (await api.call('/api/v2/redis/_ops/stats')).json();
      return (stats as { process: { near_hits: number } }).process.near_hits;
    };
    const read = async (api: TestApi) => await (await api.call('/api/v2/redis/k')).json();
    await one.call('/api/v2/redis', { method: 'POST', json: { key: 'k', value: 'x'.repeat(5_000) } });
    await expect
      .poll(async () => (await read(other)) && (await nearHits(other)), { timeout: 5_000 })
      .toBeGreaterThan(0);

    await one.call('/api/v2/redis/k', { method: 'PUT', json: { value: 'new' } });

    await expect.poll(() => read(other)).toEqual({ key: 'k', value: 'new' });
  });

  it('_spec is the OpenAPI document of this service', async (t) => {
    const api = await startApi(t);

    const spec = (await (await api.call('/api/v2/redis/_spec')).json()) as { openapi: string; paths: object };

    expect(spec.openapi).toBe('3.1.0');
    expect(Object.keys(spec.paths)).toEqual(
      expect.arrayContaining(['/api/v2/redis', '/api/v2/redis/{key}', '/api/v2/redis/_ops/incr']),
    );
  });

  it('an operation that there is not is 404, a wrong verb 405', async (t) => {
    const api = await startApi(t);

    expect((await api.call('/api/v2/redis/_ops/nothing')).status).toBe(404);
    const wrong = await api.call('/api/v2/redis/_ops/incr');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

function op(api: TestApi, name: string, json: object): Promise<Response> {
  return api.call(`/api/v2/redis/_ops/${name}`, { method: 'POST', json });
}

async function reasonOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { context: { reason: string } } }).error.context.reason;
}

/** So many seconds left, or a few less on a machine that was busy meanwhile. */
function about(seconds: number): number {
  return expect.toBeOneOf([0, 1, 2, 3].map((less) => seconds - less));
}
