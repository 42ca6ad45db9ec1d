import { PRODUCT_PASSWORD, PRODUCT_USER, testServer } from '@sluice/redis/testing';
import { describe, expect, it, vi } from 'vitest';
import { startApi } from './harness.ts';
import { created, ORDERS, PATH, place, post, reasonOf, startTwo, within2s } from './service-calls.ts';

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
    const other = await testServer(t, { settings: ['save ""', user], isOpen: true });
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
    const observer = own.admin();
    const connections = async () => {
      const list = (await observer.client('LIST')) as string;
      return list.split('\n').filter((line) => line.includes('sluice:api-cache-orders')).length;
    };
    const api = await startApi(t);
    await created(api, {
      ...ORDERS,
      config: { host: '127.0.0.1', port: own.port, username: PRODUCT_USER, password: PRODUCT_PASSWORD },
    });
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

describe('a service whose Redis is nowhere', () => {
  it('takes nothing down: this server is ready, and others are served', async (t) => {
    const api = await startApi(t);
    await created(api, { ...ORDERS, config: { host: '127.0.0.1', port: 1 } });

    expect((await api.call('/api/v2/orders/a')).status).toBe(500);
    expect((await api.call('/readyz')).status).toBe(200);
    expect((await api.call('/api/v2/redis?keys=a')).status).toBe(200);
  });
});
