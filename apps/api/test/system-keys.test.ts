import { describe, expect, it, vi } from 'vitest';
import { startApi, TEST_KEY, type TestApi } from './harness.ts';

const PATH = '/api/v2/system/key';
const within2s = { timeout: 2_000, interval: 20 };

interface Key {
  id: string;
  key: string;
  version: number;
  scopes: string[];
}

async function make(api: TestApi, json: unknown, key?: string): Promise<Key> {
  const answer = await api.call(PATH, { method: 'POST', json, ...(key && { key }) });
  const body = (await answer.json()) as Key;
  expect(answer.status, JSON.stringify(body)).toBe(201);
  return body;
}

const change = (api: TestApi, id: string, json: unknown, key?: string) =>
  api.call(`${PATH}/${id}`, { method: 'PATCH', json, ...(key && { key }) });

async function reasonOf(answer: Response): Promise<unknown> {
  const body = (await answer.json()) as { error: { context: { reason: string } } };
  return [answer.status, body.error.context.reason];
}

async function startTwo(t: Parameters<typeof startApi>[0]) {
  const SLUICE_SECRET = 'one secret of the whole installation';
  const first = await startApi(t, { SLUICE_SECRET });
  const second = await startApi(t, { SLUICE_SECRET, REDIS_PREFIX: first.redis.prefix });
  return { first, second };
}

async function ownId(api: TestApi): Promise<string> {
  const { resource } = (await (await api.call(PATH)).json()) as { resource: (Key & { label: string })[] };
  return (resource.find(({ label }) => label === 'SLUICE_API_KEY') as Key).id;
}

describe('an API key made over HTTP', () => {
  it('is told once, stored hashed, and opens what it says', async (t) => {
    const api = await startApi(t);

    const made = await make(api, {
      label: 'shop',
      scopes: ['cache:read'],
      expires_at: '2099-01-31T00:00:00Z',
    });

    const { key, ...record } = made;
    expect(record).toEqual({
      id: expect.stringMatching(/^\w{12}$/),
      label: 'shop',
      scopes: ['cache:read'],
      is_active: true,
      quota: null,
      version: 1,
      origin: 'made',
      created_at: expect.any(String),
      expires_at: '2099-01-31T00:00:00.000Z',
      revoked_at: null,
      replaced_by: null,
      last_used_at: null,
    });
    expect((await api.call('/api/v2/redis?keys=a', { key })).status).toBe(200);
    const read = await api.call(`${PATH}/${made.id}`);
    expect(await read.json()).toEqual({ ...record, last_used_at: null });
    const texts = [
      await (await api.call(PATH)).text(),
      await (await api.call('/api/v2/system/audit')).text(),
    ];
    const records = JSON.stringify(await api.redis.client.hgetall(`${api.redis.prefix}:system:keys`));
    for (const text of [...texts, records, api.logged()]) expect(text).not.toContain(key);
  });

  it('is suspended, allowed again, narrowed and revoked on every server within two seconds', async (t) => {
    const { first, second } = await startTwo(t);
    const { id, key } = await make(first, { label: 'shop', scopes: ['cache:read', 'metrics:read'] });
    const expectOnSecond = (path: string, status: number) =>
      vi.waitFor(async () => expect((await second.call(path, { key })).status).toBe(status), within2s);
    await expectOnSecond('/metrics', 200);

    await change(first, id, { is_active: false });
    await expectOnSecond('/metrics', 401);
    await change(first, id, { is_active: true });
    await expectOnSecond('/metrics', 200);
    await change(first, id, { scopes: ['cache:read'] });
    await expectOnSecond('/metrics', 403);
    await expectOnSecond('/api/v2/redis?keys=a', 200);
    expect((await first.call(`${PATH}/${id}`, { method: 'DELETE' })).status).toBe(200);
    await expectOnSecond('/api/v2/redis?keys=a', 401);
    expect(await reasonOf(await change(first, id, { is_active: true }))).toEqual([409, 'key_ended']);
  });

  it('is rotated: the new one opens, the old one for as long as was said', async (t) => {
    const api = await startApi(t);
    const old = await make(api, { label: 'shop', scopes: ['cache:read'], quota: { backlog: 5 } });

    const answer = await api.call(`${PATH}/${old.id}/rotate`, { method: 'POST', json: { overlap: 0 } });

    const made = (await answer.json()) as Key;
    expect([answer.status, made]).toMatchObject([
      201,
      { label: 'shop', scopes: old.scopes, quota: { backlog: 5 } },
    ]);
    expect((await api.call('/api/v2/redis?keys=a', { key: made.key })).status).toBe(200);
    expect((await api.call('/api/v2/redis?keys=a', { key: old.key })).status).toBe(401);
    expect(await (await api.call(`${PATH}/${old.id}`)).json()).toMatchObject({ replaced_by: made.id });
  });

  it('that changed since it was read is not changed over', async (t) => {
    const api = await startApi(t);
    const { id } = await make(api, { label: 'shop', scopes: ['cache:read'] });
    const headers = { 'If-Match': (await api.call(`${PATH}/${id}`)).headers.get('etag') as string };
    await change(api, id, { label: 'other' });

    const answer = await api.call(`${PATH}/${id}`, { method: 'PATCH', json: { label: 'mine' }, headers });

    expect(await reasonOf(answer)).toEqual([412, 'version_mismatch']);
  });

  it.for<[string, unknown]>([
    ['no label', { scopes: ['*'] }],
    ['no scopes', { label: 'a', scopes: [] }],
    ['a scope nobody knows', { label: 'a', scopes: ['cache:peek'] }],
    ['an expiry that is past', { label: 'a', scopes: ['cache:read'], expires_at: '2001-01-01T00:00:00Z' }],
    ['a quota of nothing known', { label: 'a', scopes: ['cache:read'], quota: { jobs: 1 } }],
    [
      'a period nobody knows',
      { label: 'a', scopes: ['cache:read'], quota: { requests: { limit: 1, period: '5m' } } },
    ],
  ])('is not made with %s', async ([, json], t) => {
    const api = await startApi(t);
    const before = await (await api.call(PATH)).text();

    expect((await api.call(PATH, { method: 'POST', json })).status).toBe(400);
    expect(JSON.parse(await (await api.call(PATH)).text()).resource.length).toBe(
      JSON.parse(before).resource.length,
    );
  });
});

describe('nobody gives more than he has', () => {
  it('neither by a new key, nor by changing or rotating another', async (t) => {
    const api = await startApi(t);
    const limited = await make(api, { label: 'team', scopes: ['system:*', 'cache:read:redis/team:*'] });
    const admin = await make(api, { label: 'admin', scopes: ['*'] });
    const own = await make(api, { label: 'own', scopes: ['cache:read:redis/team:a*'] }, limited.key);

    const refused = await Promise.all([
      ...[
        '*',
        'cache:read',
        'cache:*',
        'cache:read:redis/tea*',
        'cache:write:redis/team:a',
        'jobs:read:mail',
      ].map((scope) =>
        api.call(PATH, { method: 'POST', json: { label: 'x', scopes: [scope] }, key: limited.key }),
      ),
      change(api, own.id, { scopes: ['cache:read'] }, limited.key),
      change(api, admin.id, { label: 'mine' }, limited.key),
      change(api, admin.id, { is_active: false }, limited.key),
      api.call(`${PATH}/${admin.id}/rotate`, { method: 'POST', key: limited.key }),
      api.call(`${PATH}/${admin.id}`, { method: 'DELETE', key: limited.key }),
    ]);

    for (const answer of refused) expect(await reasonOf(answer)).toEqual([403, 'forbidden']);
    expect((await change(api, own.id, { label: 'renamed' }, limited.key)).status).toBe(200);
  });

  it('and a key with a quota makes and changes none, itself included', async (t) => {
    const api = await startApi(t);
    const { id, key } = await make(api, { label: 'bounded', scopes: ['*'], quota: { payload_bytes: 4_096 } });

    const answers = [
      await api.call(PATH, { method: 'POST', json: { label: 'free', scopes: ['*'] }, key }),
      await change(api, id, { quota: null }, key),
      await api.call(`${PATH}/${id}/rotate`, { method: 'POST', key }),
    ];

    for (const answer of answers) expect(await reasonOf(answer)).toEqual([403, 'forbidden']);
  });
});

describe('the last key of all scopes', () => {
  it('is not revoked, suspended, narrowed or made to end, from several servers at once either', async (t) => {
    const { first, second } = await startTwo(t);
    const id = await ownId(first);
    for (const answer of [
      await first.call(`${PATH}/${id}`, { method: 'DELETE' }),
      await change(first, id, { is_active: false }),
      await change(first, id, { scopes: ['system:*'] }),
      await change(first, id, { expires_at: '2099-01-01T00:00:00Z' }),
    ])
      expect(await reasonOf(answer)).toEqual([409, 'last_admin_key']);
    const other = await make(first, { label: 'other', scopes: ['*'] });
    await vi.waitFor(
      async () => expect((await second.call('/metrics', { key: other.key })).status).toBe(200),
      within2s,
    );

    const both = await Promise.all([
      first.call(`${PATH}/${id}`, { method: 'DELETE' }),
      second.call(`${PATH}/${other.id}`, { method: 'DELETE', key: other.key }),
    ]);

    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const left = await Promise.all([TEST_KEY, other.key].map((key) => first.call('/metrics', { key })));
    expect(left.map(({ status }) => status)).toContain(200);
  });
});

describe('the quota of a key', () => {
  it('bounds its requests on every server, and nobody else’s', async (t) => {
    const { first, second } = await startTwo(t);
    const quota = { requests: { limit: 4, period: 'day' } };
    const { id, key } = await make(first, { label: 'q', scopes: ['cache:read'], quota });
    const get = async (api: TestApi) => await api.call('/api/v2/redis?keys=a', { key });
    await vi.waitFor(async () => expect((await get(second)).status).toBe(200), within2s);

    const answers = [await get(first), await get(second), await get(first)];
    const refused = [await get(first), await get(second)];

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    for (const answer of refused) {
      expect(answer.headers.get('ratelimit-policy')).toContain('"key-quota.day";q=4;w=86400');
      expect(await reasonOf(answer)).toEqual([429, 'rate_limited']);
    }
    expect((await first.call('/api/v2/redis?keys=a')).status).toBe(200);
    await change(first, id, { quota: null });
    await vi.waitFor(async () => expect((await get(second)).status).toBe(200), within2s);
  });

  it('bounds its bodies before they are read', async (t) => {
    const api = await startApi(t);
    const { key } = await make(api, { label: 'q', scopes: ['cache:*'], quota: { payload_bytes: 100 } });
    const store = (value: string, by = key) =>
      api.call('/api/v2/redis', { method: 'POST', json: { resource: [{ key: 'a', value }] }, key: by });

    const refused = await store('x'.repeat(100));

    expect((await store('x')).status).toBe(201);
    expect((await store('x'.repeat(100), TEST_KEY)).status).toBe(201);
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({
      error: { context: { reason: 'quota_payload_exceeded', max_bytes: 100 } },
    });
  });
});

describe('the backlog of a key', () => {
  it('bounds what it has waiting in a queue, by whichever route', async (t) => {
    const api = await startApi(t);
    const { key } = await make(api, {
      label: 'q',
      scopes: ['jobs:*', 'deliveries:*'],
      quota: { backlog: 2 },
    });
    const send = (path: string, json: unknown, by = key) => api.call(path, { method: 'POST', json, key: by });
    const job = { name: 'example.echo', data: {} };
    const enqueue = (by?: string) => send('/api/v2/queues/mail/jobs', job, by);
    expect([(await enqueue()).status, (await enqueue()).status]).toEqual([201, 201]);

    const refused = [
      await enqueue(),
      await send('/api/v2/queues/mail/jobs', { resource: [job] }),
      await send('/api/v2/flows', { queue: 'mail', ...job }),
    ];

    for (const answer of refused) {
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(await reasonOf(answer)).toEqual([429, 'quota_backlog_exceeded']);
    }
    expect((await enqueue(TEST_KEY)).status).toBe(201);
    const delivery = { url: 'https://example.com/hook' };
    const deliveries = await send('/api/v2/deliveries', { resource: [delivery, delivery, delivery] });
    expect(await reasonOf(deliveries)).toEqual([429, 'quota_backlog_exceeded']);
  });
});
