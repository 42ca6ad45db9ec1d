import { describe, expect, it } from 'vitest';
import { ENDPOINTS, post, put, URL_ } from './delivery-calls.ts';
import { startApi } from './harness.ts';

describe('endpoints', () => {
  it('tell a new secret once, and of headers the names', async (t) => {
    const api = await startApi(t);
    const settings = { url: URL_, headers: { Authorization: 'Bearer hidden' }, schedule: [0, '1m'] };

    const made = await put(api, `${ENDPOINTS}/partner`, settings);
    const changed = await put(api, `${ENDPOINTS}/partner`, { url: URL_, timeout: 5_000 });
    const read = await api.call(`${ENDPOINTS}/partner`);
    const list = await api.call(ENDPOINTS);

    const { secret, ...endpoint } = (await made.json()) as Record<string, unknown>;
    expect(made.status).toBe(201);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(endpoint).toEqual({
      name: 'partner',
      url: URL_,
      headers: ['Authorization'],
      schedule: [0, 60_000],
      jitter: 0.1,
      timeout: 15_000,
      concurrency: 20,
      secrets: [{ created_at: expect.any(String), expires_at: null }],
      gone_at: null,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    const texts = [await changed.text(), await read.text(), await list.text()];
    expect(changed.status).toBe(200);
    for (const text of texts) expect(text).not.toMatch(/whsec|hidden|sealed/);
    expect(JSON.parse(texts[0] as string)).toMatchObject({ timeout: 5_000, headers: ['Authorization'] });
    expect(JSON.parse(texts[2] as string)).toMatchObject({ resource: [{ name: 'partner' }] });
  });

  it('take a secret of the caller’s, and another one by rotation only', async (t) => {
    const api = await startApi(t);
    const secret = (fill: string) => `whsec_${Buffer.alloc(32, fill).toString('base64')}`;

    const made = await put(api, `${ENDPOINTS}/a`, { secret: secret('a') });
    const same = await put(api, `${ENDPOINTS}/a`, { secret: secret('a') });
    const other = await put(api, `${ENDPOINTS}/a`, { secret: secret('b') });
    const short = await put(api, `${ENDPOINTS}/b`, { secret: 'whsec_c2hvcnQ=' });
    const rotated = await api.call(`${ENDPOINTS}/a/rotate`, {
      method: 'POST',
      json: { secret: secret('b'), overlap: 60 },
    });

    expect([made.status, same.status, other.status, short.status, rotated.status]).toEqual([
      201, 200, 400, 400, 200,
    ]);
    const { secrets } = (await rotated.json()) as { secrets: { expires_at: string | null }[] };
    expect(secrets.map(({ expires_at }) => expires_at === null)).toEqual([true, false]);
  });

  it('are signed by five secrets at most', async (t) => {
    const api = await startApi(t);
    await put(api, `${ENDPOINTS}/a`, {});
    const rotate = () => api.call(`${ENDPOINTS}/a/rotate`, { method: 'POST' });

    const statuses: number[] = [];
    for (let n = 0; n < 6; n += 1) statuses.push((await rotate()).status);

    // With the first one they are five after four rotations.
    expect(statuses).toEqual([200, 200, 200, 200, 409, 409]);
  });

  it('keep their headers for the URL they were given for', async (t) => {
    const api = await startApi(t);
    await put(api, `${ENDPOINTS}/a`, { url: URL_, headers: { Authorization: 'x' } });

    const moved = await put(api, `${ENDPOINTS}/a`, { url: 'https://elsewhere.example/' });
    const nowhere = await put(api, `${ENDPOINTS}/b`, { headers: { Authorization: 'x' } });

    expect(await moved.json()).toMatchObject({ headers: [] });
    expect(nowhere.status).toBe(400);
    const strayed = await post(api, { endpoint: 'a', url: 'https://example.com/' });
    expect([strayed.status, await strayed.json()]).toMatchObject([
      400,
      { error: { context: { reason: 'delivery_invalid' } } },
    ]);
    expect((await post(api, { endpoint: 'a', url: '/sub?x=1' })).status).toBe(201);
  });

  it('can be removed, and are told to be absent', async (t) => {
    const api = await startApi(t);
    await put(api, `${ENDPOINTS}/a`, {});

    const removed = await api.call(`${ENDPOINTS}/a`, { method: 'DELETE' });
    const absent = await Promise.all([
      api.call(`${ENDPOINTS}/a`),
      api.call(`${ENDPOINTS}/a`, { method: 'DELETE' }),
      api.call(`${ENDPOINTS}/a/rotate`, { method: 'POST' }),
    ]);

    expect(await removed.json()).toEqual({ name: 'a', success: true });
    expect(absent.map(({ status }) => status)).toEqual([404, 404, 404]);
  });

  it('are read and managed with scopes of their own', async (t) => {
    const api = await startApi(t);
    await put(api, `${ENDPOINTS}/a`, {});
    const sender = await api.makeKey(['deliveries:send']);
    const reader = await api.makeKey(['deliveries:read']);

    const statuses = await Promise.all([
      post(api, { url: URL_, endpoint: 'a' }, { key: sender }),
      post(api, { url: URL_, endpoint: 'a' }, { key: reader }),
      api.call(`${ENDPOINTS}/a`, { key: sender }),
      api.call(`${ENDPOINTS}/a`, { key: reader }),
      put(api, `${ENDPOINTS}/b`, {}, reader),
      api.call(`${ENDPOINTS}/a/rotate`, { method: 'POST', key: sender }),
    ]);

    expect(statuses.map(({ status }) => status)).toEqual([201, 403, 403, 200, 403, 403]);
  });
});
