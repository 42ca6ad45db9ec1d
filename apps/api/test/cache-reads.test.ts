import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

const AWKWARD_KEYS = [
  'a/b',
  'a//b',
  'a..b',
  'a.b',
  'ab',
  '0',
  'a b',
  'a+b',
  'a%b',
  'a%2Fb',
  'ключ',
  '😀',
  'a?b#c&d=e',
  'x/',
  '/',
  '\'"<>~\\',
  '_ops',
  'A',
  'a',
  '__proto__',
];

describe('keys in the path of a cache service', () => {
  it('are decoded once and never rewritten', async (t) => {
    const api = await startApi(t);
    await store(
      api,
      AWKWARD_KEYS.map((key) => ({ key, value: key })),
    );

    for (const key of AWKWARD_KEYS) {
      const response = await api.call(`/api/v2/redis/${encodeURIComponent(key)}`);
      expect(await response.json(), key).toStrictEqual({ key, value: key });
    }
    expect(await (await api.call('/api/v2/redis/a/b')).json()).toStrictEqual({ key: 'a/b', value: 'a/b' });
    expect(await (await api.call('/api/v2/redis/a//b')).json()).toStrictEqual({ key: 'a//b', value: 'a//b' });
    expect(await (await api.call('/api/v2/redis/a+b')).json()).toStrictEqual({ key: 'a+b', value: 'a+b' });
    expect(await (await api.call('/api/v2/redis//')).json()).toStrictEqual({ key: '/', value: '/' });
    expect(await (await api.call('/api/v2/REDIS/a')).json()).toStrictEqual({ key: 'a', value: 'a' });
  });

  it.for(['a%00', '%0a', 'a%09b', '%7f', '%ff', 'a%2', 'é'.repeat(513)])('%j is refused', async (key, t) => {
    const api = await startApi(t);

    for (const method of ['GET', 'DELETE']) {
      const response = await api.call(`/api/v2/redis/${key}`, { method });
      expect(response.status).toBe(400);
      expect(['key_invalid', 'input_invalid']).toContain(await reasonOf(response));
    }
  });

  it('a service that there is not is 404, one that is switched off 403', async (t) => {
    const api = await startApi(t);

    const response = await api.call('/api/v2/nothing/k');

    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      error: { message: 'Could not find a service for nothing', context: { reason: 'service_unknown' } },
    });
  });

  it('other verbs are 405 and tell which there are', async (t) => {
    const api = await startApi(t);

    const key = await api.call('/api/v2/redis/k', { method: 'OPTIONS' });
    const root = await api.call('/api/v2/redis', { method: 'PATCH' });

    expect([key.status, key.headers.get('allow')?.split(', ').sort()]).toEqual([
      405,
      ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'],
    ]);
    expect([root.status, root.headers.get('allow')?.split(', ').sort()]).toEqual([
      405,
      ['DELETE', 'GET', 'HEAD', 'POST', 'PUT'],
    ]);
  });
});

describe('reading one value', () => {
  it('has a strong ETag, which answers 304 while the value is the same', async (t) => {
    const api = await startApi(t);
    await store(api, [{ key: 'k', value: { n: 1 } }]);
    const first = await api.call('/api/v2/redis/k');
    const etag = first.headers.get('etag') ?? '';
    const get = (known: string) => api.call('/api/v2/redis/k', { headers: { 'If-None-Match': known } });

    const known = await get(etag);
    const listed = await get(`"other", W/${etag}`);
    const any = await get('*');
    await store(api, [{ key: 'k', value: { n: 2 } }]);
    const changed = await get(etag);

    expect(etag).toMatch(/^"[0-9a-f]{40}"$/);
    expect(first.headers.get('cache-control')).toBe('private, no-cache');
    expect([known.status, await known.text(), known.headers.get('etag')]).toEqual([304, '', etag]);
    expect([listed.status, any.status]).toEqual([304, 304]);
    expect([changed.status, changed.headers.get('etag') === etag]).toEqual([200, false]);
  });

  it('HEAD answers the headers of GET without its body', async (t) => {
    const api = await startApi(t);
    await store(api, [{ key: 'k', value: 'ключ' }]);
    const get = await api.call('/api/v2/redis/k');

    const head = await api.call('/api/v2/redis/k', { method: 'HEAD' });
    const absent = await api.call('/api/v2/redis/none', { method: 'HEAD' });

    const body = await get.text();
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(body)));
    expect(head.headers.get('etag')).toBe(get.headers.get('etag'));
    expect(await head.text()).toBe('');
    expect([absent.status, await absent.text()]).toEqual([404, '']);
  });

  it('If-Match lets a write or delete through over that value only', async (t) => {
    const api = await startApi(t);
    await store(api, [{ key: 'k', value: 1 }]);
    const etag = (await api.call('/api/v2/redis/k')).headers.get('etag') ?? '';
    const send = (method: string, match: string, key = 'k') =>
      api.call(`/api/v2/redis/${key}`, {
        method,
        headers: { 'If-Match': match },
        ...(method !== 'DELETE' && { json: { ttl: 9 } }),
      });
    const put = (match: string) =>
      api.call('/api/v2/redis/k', { method: 'PUT', headers: { 'If-Match': match }, json: { value: 2 } });

    expect((await put('"other"')).status).toBe(412);
    expect((await put(`W/${etag}`)).status).toBe(412);
    expect((await send('PATCH', '"other"')).status).toBe(412);
    expect((await send('DELETE', '"other"')).status).toBe(412);
    expect((await put(`"other", ${etag}`)).status).toBe(200);
    expect((await send('DELETE', etag)).status).toBe(412);
    expect((await put('*')).status).toBe(200);
    expect((await send('DELETE', '*')).status).toBe(200);
    expect((await put('*')).status).toBe(404);
    const create = () =>
      api.call('/api/v2/redis/k', { method: 'PUT', headers: { 'If-None-Match': '*' }, json: { value: 3 } });
    expect([(await create()).status, (await create()).status]).toEqual([201, 409]);
  });

  it('check_exist, default, raw, clear and pull as DreamFactory has them', async (t) => {
    const api = await startApi(t);
    await store(api, [
      { key: 'text', value: 'plain "text"' },
      { key: 'object', value: { a: 1 } },
      { key: 'null', value: null },
    ]);
    const get = async (path: string) => {
      const response = await api.call(`/api/v2/redis/${path}`);
      return [response.status, response.headers.get('content-type')?.split(';')[0], await response.text()];
    };

    expect(await get('null?check_exist=1')).toEqual([
      200,
      'application/json',
      '{"key":"null","exists":true}',
    ]);
    expect(await get('null?check_exist=no')).toEqual([
      200,
      'application/json',
      '{"key":"null","value":null}',
    ]);
    expect(await get('none?default=0')).toEqual([
      200,
      'application/json',
      '{"key":"none","value":"0","default":true}',
    ]);
    expect(await get('none?default=')).toEqual([
      200,
      'application/json',
      '{"key":"none","value":"","default":true}',
    ]);
    expect(await get('null?default=x')).toEqual([200, 'application/json', '{"key":"null","value":null}']);
    expect(await get('text?raw=true')).toEqual([200, 'text/plain', 'plain "text"']);
    expect(await get('object?raw=true')).toEqual([200, 'application/json', '{"a":1}']);
    expect(await get('text?clear=true')).toEqual([
      200,
      'application/json',
      '{"key":"text","value":"plain \\"text\\""}',
    ]);
    expect((await get('text'))[0]).toBe(404);
    expect((await get('object?pull=true'))[0]).toBe(200);
    expect((await get('object?pull=true'))[0]).toBe(404);
    expect((await get('null?check_exist=maybe'))[0]).toBe(400);
  });

  it('tells and sets the ttl', async (t) => {
    const api = await startApi(t);
    await store(api, [
      { key: 'k', value: 1, ttl: 60 },
      { key: 'kept', value: 1, ttl: 0 },
    ]);
    const get = async (path: string) => (await (await api.call(`/api/v2/redis/${path}`)).json()) as unknown;

    expect(await get('k?include_ttl=true')).toStrictEqual({ key: 'k', value: 1, ttl: about(60) });
    expect(await get('kept?include_ttl=true')).toStrictEqual({ key: 'kept', value: 1, ttl: 0 });
    expect(await get('k?touch=90&include_ttl=true')).toStrictEqual({ key: 'k', value: 1, ttl: about(90) });
    expect(await get('k?touch=0')).toStrictEqual({ key: 'k', value: 1 });
    expect(await get('k?include_ttl=true')).toStrictEqual({ key: 'k', value: 1, ttl: 0 });
    expect(await get('k?touch=-1&include_ttl=true')).toStrictEqual({
      key: 'k',
      value: 1,
      ttl: about(18_000),
    });
    expect((await api.call('/api/v2/redis/k?touch=x')).status).toBe(400);
    expect((await api.call('/api/v2/redis/none?touch=5')).status).toBe(404);
  });

  it('says of a value past its ttl, within its grace, that it is stale', async (t) => {
    const api = await startApi(t);
    await store(api, [{ key: 'k', value: 1, ttl: 60, grace: 600 }]);
    const entry = `${api.redis.prefix}:cache:redis:k`;
    await api.redis.client.pexpire(entry, 599_000);

    const response = await api.call('/api/v2/redis/k?include_ttl=true');

    expect(await response.json()).toStrictEqual({ key: 'k', value: 1, stale: true });
  });
});

describe('reading many', () => {
  it('answers in the order asked, absent ones as such', async (t) => {
    const api = await startApi(t);
    await store(api, [
      { key: 'a', value: 1, ttl: 60 },
      { key: 'b', value: null, ttl: 0 },
      { key: 'c,d', value: 3 },
    ]);
    const get = async (query: string) =>
      ((await (await api.call(`/api/v2/redis?${query}`)).json()) as { resource: unknown }).resource;

    expect(await get('keys=b,none,a,b')).toStrictEqual([
      { key: 'b', value: null },
      { key: 'none', exists: false },
      { key: 'a', value: 1 },
      { key: 'b', value: null },
    ]);
    expect(await get('keys=a&keys=c%2Cd')).toStrictEqual([
      { key: 'a', value: 1 },
      { key: 'c,d', value: 3 },
    ]);
    expect(await get('keys=a,none&check_exist=true')).toStrictEqual([
      { key: 'a', exists: true },
      { key: 'none', exists: false },
    ]);
    expect(await get('keys=none&default=x')).toStrictEqual([{ key: 'none', value: 'x', default: true }]);
    expect(await get('keys=a,b&include_ttl=true')).toStrictEqual([
      { key: 'a', value: 1, ttl: about(60) },
      { key: 'b', value: null, ttl: 0 },
    ]);
    const posted = await api.call('/api/v2/redis/_ops/mget', {
      method: 'POST',
      json: { resource: [{ key: 'c,d' }, { key: 'none' }] },
    });
    expect(await posted.json()).toStrictEqual({
      resource: [
        { key: 'c,d', value: 3 },
        { key: 'none', exists: false },
      ],
    });
  });

  it.for(['keys=', 'keys=a,,b', 'keys=a%00'])('%s is refused', async (query, t) => {
    const api = await startApi(t);

    expect((await api.call(`/api/v2/redis?${query}`)).status).toBe(400);
  });

  it('lists pages by prefix, with cursor, as a list, with ttl', async (t) => {
    const api = await startApi(t);
    await store(
      api,
      Array.from({ length: 25 }, (_, at) => ({ key: `user:${at}`, value: at, ttl: 60 })),
    );
    await store(api, [{ key: 'other', value: 1, ttl: 0 }]);
    type Page = { resource: { key: string }[]; meta?: { next: string; count: number } };
    const told: string[] = [];
    let query = 'prefix=user:&limit=10';
    for (let pages = 0; pages < 10; pages += 1) {
      const page = (await (await api.call(`/api/v2/redis/?${query}`)).json()) as Page;
      told.push(...page.resource.map(({ key }) => key));
      expect(page.resource.length).toBeLessThanOrEqual(10);
      if (!page.meta) break;
      expect(page.meta.count).toBe(page.resource.length);
      query = `prefix=user:&limit=10&cursor=${page.meta.next}`;
    }

    expect([...new Set(told)].sort()).toEqual(Array.from({ length: 25 }, (_, at) => `user:${at}`).sort());
    expect(await (await api.call('/api/v2/redis?prefix=oth&as_list=true')).json()).toStrictEqual({
      resource: ['other'],
    });
    expect(
      await (await api.call('/api/v2/redis?prefix=user:1&include_ttl=true&limit=10000')).json(),
    ).toMatchObject({
      resource: [
        { key: 'user:1', ttl: about(60) },
        ...Array.from({ length: 10 }, (_, at) => ({ key: `user:1${at}`, ttl: about(60) })),
      ],
    });
    for (const bad of ['limit=0', 'limit=10001', 'limit=x', 'cursor=x']) {
      expect((await api.call(`/api/v2/redis/?${bad}`)).status, bad).toBe(400);
    }
  });
});

async function store(api: TestApi, resource: object[]): Promise<void> {
  const response = await api.call('/api/v2/redis', { method: 'POST', json: { resource } });
  expect(response.status).toBe(201);
}

async function reasonOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { context: { reason: string } } }).error.context.reason;
}

/** So many seconds left, or a few less on a machine that was busy meanwhile. */
function about(seconds: number): number {
  return expect.toBeOneOf([0, 1, 2, 3].map((less) => seconds - less));
}
