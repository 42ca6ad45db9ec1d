import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

describe('deleting', () => {
  it('names each key that was there', async (t) => {
    const api = await startApi(t);
    await fill(api, ['a', 'b', 'c', 'd', 'x,y']);

    const query = await remove(api, '?keys=a,none');
    const repeated = await remove(api, '?keys=x%2Cy&keys=b');
    const body = await remove(api, '', { resource: [{ key: 'c' }, 'none'] });

    expect(await query.json()).toStrictEqual({
      resource: [
        { key: 'a', success: true },
        { key: 'none', success: false },
      ],
    });
    expect(await repeated.json()).toStrictEqual({
      resource: [
        { key: 'x,y', success: true },
        { key: 'b', success: true },
      ],
    });
    expect(await body.json()).toStrictEqual({
      resource: [
        { key: 'c', success: true },
        { key: 'none', success: false },
      ],
    });
    expect(await keysOf(api)).toEqual(['d']);
  });

  it('is content with an absent key when told so', async (t) => {
    const api = await startApi(t);

    const response = await api.call('/api/v2/redis/none?ignore_missing=true', { method: 'DELETE' });

    expect([response.status, await response.json()]).toEqual([200, { key: 'none', success: false }]);
  });

  it.for([
    ['?keys=', undefined],
    ['?keys=,', undefined],
    ['?keys=a%00', undefined],
    ['?prefix=', undefined],
    ['?key=a', undefined],
    ['?ids=a,b', undefined],
    ['?prefx=a', undefined],
    ['?dry_run=maybe', undefined],
    ['', '{}'],
    ['', '{"resource":[]}'],
    ['', '{"resource":[{}]}'],
    ['', '{"keys":["a"]}'],
    ['', '[]'],
    ['', 'null'],
    ['', '{"resource":'],
  ] as const)('%s %s is refused and never a flush', async ([query, body], t) => {
    const api = await startApi(t);
    await fill(api, ['a', 'b']);

    const response = await api.call(`/api/v2/redis${query}`, {
      method: 'DELETE',
      ...(body !== undefined && { body, headers: { 'Content-Type': 'application/json' } }),
    });

    expect(response.status).toBe(400);
    expect(await keysOf(api)).toEqual(['a', 'b']);
  });

  it('refuses a body of another kind rather than flush', async (t) => {
    const api = await startApi(t);
    await fill(api, ['a']);

    const response = await api.call('/api/v2/redis', {
      method: 'DELETE',
      body: 'keys=a',
      headers: { 'Content-Type': 'text/plain' },
    });

    expect(response.status).toBe(415);
    expect(await keysOf(api)).toEqual(['a']);
  });
});

describe('flushing', () => {
  it('counts first with dry_run, by prefix or all', async (t) => {
    const api = await startApi(t);
    await fill(api, ['a:1', 'a:2', 'b:1']);

    expect(await (await remove(api, '?dry_run=true')).json()).toStrictEqual({ success: true, deleted: 3 });
    expect(await (await remove(api, '?prefix=a:&dry_run=true')).json()).toStrictEqual({
      success: true,
      deleted: 2,
    });
    expect(await (await remove(api, '?prefix=a:')).json()).toStrictEqual({ success: true, deleted: 2 });
    expect(await keysOf(api)).toEqual(['b:1']);
  });

  it('leaves other services and other keys of the same Redis alone', async (t) => {
    const api = await startApi(t, await twoServices(t));
    await api.redis.client.set(`${api.redis.prefix}:session:other`, 'kept');
    await fill(api, ['a']);
    await fill(api, ['a'], 'second');

    await remove(api, '');

    expect(await keysOf(api)).toEqual([]);
    expect(await keysOf(api, 'second')).toEqual(['a']);
    expect(await api.redis.client.get(`${api.redis.prefix}:session:other`)).toBe('kept');
  });

  it('asks for a confirmation or refuses, as its service says', async (t) => {
    const api = await startApi(t, await twoServices(t));
    await fill(api, ['a'], 'second');
    await fill(api, ['a'], 'third');
    const flush = (query: string, headers: Record<string, string> = {}) =>
      api.call(`/api/v2/second${query}`, { method: 'DELETE', headers });

    const bare = await flush('');
    const wrong = await flush('', { 'X-Confirm-Flush': 'other' });
    const counted = await flush('?dry_run=true');
    const denied = await api.call('/api/v2/third?force=true', { method: 'DELETE' });

    expect([bare.status, await reasonOf(bare)]).toEqual([400, 'flush_unconfirmed']);
    expect([wrong.status, counted.status]).toEqual([400, 200]);
    expect([denied.status, await reasonOf(denied)]).toEqual([403, 'flush_denied']);
    expect(await keysOf(api, 'second')).toEqual(['a']);
    expect((await flush('?force=true')).status).toBe(200);
    await fill(api, ['a'], 'second');
    expect((await flush('', { 'X-Confirm-Flush': 'second' })).status).toBe(200);
    expect(await keysOf(api, 'second')).toEqual([]);
    expect((await api.call('/api/v2/third?keys=a', { method: 'DELETE' })).status).toBe(200);
  });

  it('works where FLUSHDB, FLUSHALL, KEYS and DEBUG are renamed away', async (t) => {
    const settings = ['KEYS', 'CONFIG'].map((command) => `rename-command ${command} ""`);
    const server = await testServer(t, { settings: ['save ""', ...settings] });
    const api = await startApi(t, { CACHE_URL: server.url });
    await fill(api, ['a', 'b']);

    expect(await (await remove(api, '')).json()).toStrictEqual({ success: true, deleted: 2 });
  });
});

describe('a service that is switched off', () => {
  it('is 403', async (t) => {
    const api = await startApi(t, await twoServices(t));

    const response = await api.call('/api/v2/off/k');

    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: { message: 'Service off is deactivated.' } });
  });
});

async function twoServices(t: TestContext): Promise<{ SLUICE_CONFIG: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-services-'));
  t.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'sluice.config.json');
  const services = [
    { name: 'redis', type: 'cache_redis' },
    { name: 'second', type: 'cache_redis', config: { options: { flush_policy: 'confirm' } } },
    { name: 'third', type: 'cache_local', config: { options: { flush_policy: 'deny' } } },
    { name: 'off', type: 'cache_local', is_active: false },
  ];
  await writeFile(file, JSON.stringify({ services }));
  return { SLUICE_CONFIG: file };
}

async function fill(api: TestApi, keys: string[], service = 'redis'): Promise<void> {
  const resource = keys.map((key) => ({ key, value: 1 }));
  expect((await api.call(`/api/v2/${service}`, { method: 'POST', json: { resource } })).status).toBe(201);
}

function remove(api: TestApi, query: string, json?: unknown): Promise<Response> {
  return api.call(`/api/v2/redis${query}`, { method: 'DELETE', json });
}

async function keysOf(api: TestApi, service = 'redis'): Promise<string[]> {
  const { resource } = (await (await api.call(`/api/v2/${service}?as_list=true`)).json()) as {
    resource: string[];
  };
  return resource;
}

async function reasonOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { context: { reason: string } } }).error.context.reason;
}
