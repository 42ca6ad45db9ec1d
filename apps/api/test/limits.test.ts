import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseList } from 'structured-headers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readConfig } from '../src/config.ts';
import { startApi } from './harness.ts';

/** An API with these policies in its services file. */
async function startWith(
  t: Parameters<typeof startApi>[0],
  limits: unknown[],
  variables: Record<string, string> = {},
) {
  return await startApi(t, { SLUICE_CONFIG: await fileOf({ limits }), ...variables });
}

/** A services file that goes when the test ends. */
async function fileOf(content: unknown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-limits-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'sluice.config.json');
  await writeFile(path, JSON.stringify(content));
  return path;
}

const MAIL = { name: 'mail', algorithm: 'fixed', limit: 3, period: 'hour' };

describe('a limit that services share', () => {
  it('is asked, told as headers too, and refuses with an answer', async (t) => {
    const api = await startWith(t, [MAIL]);
    const consume = (json: unknown) => api.call('/api/v2/limits/mail/consume', { method: 'POST', json });

    const allowed = await consume({ key: 'ada@example.com', cost: 2 });
    const refused = await consume({ key: 'ada@example.com', cost: 2 });

    expect(allowed.status).toBe(200);
    expect(await allowed.json()).toEqual({
      policy: 'mail',
      allowed: true,
      limit: 3,
      remaining: 1,
      retry_after_ms: 0,
      reset_after_ms: 3_600_000,
      decided_by: 'redis',
      taken_at_ms: expect.closeTo(Date.now(), -4),
    });
    expect(allowed.headers.get('ratelimit-policy')).toBe('"mail";q=3;w=3600');
    expect(refused.status).toBe(200);
    const body = (await refused.json()) as { retry_after_ms: number };
    expect(body).toMatchObject({ allowed: false, remaining: 1 });
    expect(body.retry_after_ms).toBeGreaterThan(3_590_000);
    expect(refused.headers.get('retry-after')).toBe('3600');
  });

  it('is looked at, given back and reset', async (t) => {
    const api = await startWith(t, [MAIL]);
    const consume = async () =>
      (
        await api.call('/api/v2/limits/mail/consume', { method: 'POST', json: { key: 'ada', cost: 3 } })
      ).json();
    const peek = async () => (await api.call('/api/v2/limits/mail?key=ada&cost=3')).json();
    const taken = (await consume()) as { taken_at_ms: number };

    const full = await peek();
    const refund = await api.call('/api/v2/limits/mail/refund', {
      method: 'POST',
      json: { key: 'ada', cost: 3, taken_at_ms: taken.taken_at_ms },
    });
    const givenBack = await peek();
    await consume();
    const reset = await api.call('/api/v2/limits/mail?key=ada', { method: 'DELETE' });

    expect(full).toMatchObject({ allowed: false, remaining: 0 });
    expect(await refund.json()).toEqual({ success: true });
    expect(givenBack).toMatchObject({ allowed: true, remaining: 3 });
    expect(await reset.json()).toEqual({ success: true });
    expect(await peek()).toMatchObject({ allowed: true, remaining: 3 });
  });

  it('lends leases and takes them back', async (t) => {
    const api = await startWith(t, [{ name: 'upstream', algorithm: 'concurrency', limit: 1, lease: '60s' }]);
    const consume = async () =>
      (await (
        await api.call('/api/v2/limits/upstream/consume', { method: 'POST', json: { key: ['shop', 'eu'] } })
      ).json()) as { allowed: boolean; lease?: string };
    const first = await consume();

    const second = await consume();
    await api.call('/api/v2/limits/upstream/refund', {
      method: 'POST',
      json: { key: ['shop', 'eu'], lease: first.lease },
    });
    const third = await consume();

    expect([first.allowed, second.allowed, third.allowed]).toEqual([true, false, true]);
    expect(second.lease).toBeUndefined();
  });

  it('answers 404 to a policy that is not there, and to charging one that counts requests of this API', async (t) => {
    const api = await startWith(t, [MAIL]);
    for (const policy of ['nothing', 'api-per-key']) {
      const answer = await api.call(`/api/v2/limits/${policy}/consume`, {
        method: 'POST',
        json: { key: 'ada' },
      });

      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ error: { context: { reason: 'policy_unknown' } } });
    }
  });

  it('is for keys whose scope names it', async (t) => {
    const api = await startWith(t, [MAIL, { ...MAIL, name: 'sms' }]);
    const key = await api.makeKey(['limits:consume:mail']);
    const consume = async (policy: string) =>
      (await api.call(`/api/v2/limits/${policy}/consume`, { method: 'POST', json: { key: 'ada' }, key }))
        .status;

    expect([await consume('mail'), await consume('sms')]).toEqual([200, 403]);
    expect((await api.call('/api/v2/limits/mail?key=ada', { method: 'DELETE', key })).status).toBe(403);
  });

  it.for<[string, unknown]>([
    ['no key', {}],
    ['an empty key', { key: '' }],
    ['a negative cost', { key: 'a', cost: -1 }],
    ['half a unit', { key: 'a', cost: 0.5 }],
    ['a member nobody knows', { key: 'a', tokens: 1 }],
  ])('answers 400 to %s', async ([, json], t) => {
    const api = await startWith(t, [MAIL]);

    expect((await api.call('/api/v2/limits/mail/consume', { method: 'POST', json })).status).toBe(400);
  });
});

describe('the limits of the API itself', () => {
  it('count by session, and keep no token', async (t) => {
    const api = await startWith(t, [{ ...MAIL, name: 'visitor', limit: 1, by: ['session'] }]);
    const get = async (token?: string) =>
      (
        await api.call('/api/v2/redis?keys=a', {
          headers: token === undefined ? {} : { 'X-DreamFactory-Session-Token': token },
        })
      ).status;

    expect([await get('ada-token'), await get('bob-token'), await get('ada-token')]).toEqual([200, 200, 429]);
    expect([await get(), await get()]).toEqual([200, 200]);
    expect((await api.redis.allKeys()).filter((key) => key.includes('token'))).toEqual([]);
  });

  it('refuse a key that has had enough with 429 in the envelope, and let another pass', async (t) => {
    const api = await startApi(t, { API_LIMIT_PER_KEY: '3/day', API_LIMIT_PER_ADDRESS: 'off' });
    const key = await api.makeKey(['cache:*']);
    const get = () => api.call('/api/v2/redis?keys=a', { key });
    const allowed = [await get(), await get(), await get()];

    const refused = await get();
    const other = await api.call('/api/v2/redis?keys=a', { key: await api.makeKey(['cache:*']) });

    expect(allowed.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(allowed.map(({ headers }) => parseList(headers.get('ratelimit') ?? '')[0]?.[1])).toEqual(
      [2, 1, 0].map(
        (r) =>
          new Map([
            ['r', r],
            ['t', 28_800],
          ]),
      ),
    );
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({
      error: {
        code: 429,
        status_code: 429,
        message: 'Over the limit of api-per-key. Try again in 28800 s.',
        context: { reason: 'rate_limited', policies: ['api-per-key'] },
      },
    });
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      'retry-after': '28800',
      'ratelimit-policy': '"api-per-key";q=3;w=86400',
      ratelimit: '"api-per-key";r=0;t=28800',
      'x-ratelimit-limit': '3',
      'x-ratelimit-remaining': '0',
    });
    expect(Number(refused.headers.get('x-ratelimit-reset'))).toBeGreaterThan(Date.now() / 1_000 + 80_000);
    expect(other.status).toBe(200);
  });

  it('are told on answers of every kind', async (t) => {
    const api = await startApi(t);

    for (const path of ['/api/v2/redis/nothing', '/api/v2/queues/nothing', '/api/v2/redis?keys=a']) {
      const { headers } = await api.call(path);
      expect(headers.get('ratelimit-policy'), path).toBe(
        '"api-per-key";q=300000;w=60, "api-per-address";q=600000;w=60',
      );
    }
  });

  it('count an address by what our own proxy says, and nobody else', async (t) => {
    const api = await startApi(t, {
      API_LIMIT_PER_ADDRESS: '1/hour',
      API_LIMIT_PER_KEY: 'off',
      TRUSTED_PROXIES: '1',
    });
    const from = async (forwardedFor: string) =>
      (await api.call('/api/v2/redis?keys=a', { headers: { 'X-Forwarded-For': forwardedFor } })).status;

    expect(await from('203.0.113.7')).toBe(200);
    expect(await from('198.51.100.1, 203.0.113.7')).toBe(429);
    expect(await from('::ffff:203.0.113.7')).toBe(429);
    expect(await from('2001:db8::1')).toBe(200);
    expect(await from('2001:db8::ffff:1')).toBe(429);
    expect(await from('198.51.100.1')).toBe(200);
  });

  it('slow down whoever guesses keys, and not who has one', async (t) => {
    const api = await startApi(t, { API_LIMIT_REFUSED: '2/hour', TRUSTED_PROXIES: '1' });
    const headers = { 'X-Forwarded-For': '203.0.113.7' };
    const guess = async () =>
      (await api.call('/api/v2/redis?keys=a', { key: 'no-key-0123456789', headers })).status;

    expect([await guess(), await guess(), await guess()]).toEqual([401, 401, 429]);
    expect((await api.call('/api/v2/redis?keys=a', { headers })).status).toBe(200);
  });

  it('never refuse a question whether the API lives', async (t) => {
    const api = await startApi(t, { API_LIMIT_PER_ADDRESS: '1/hour' });
    await api.call('/api/v2/redis?keys=a');

    const answers = await Promise.all([1, 2, 3].map(() => api.call('/livez', { key: null })));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await api.call('/api/v2/redis?keys=a')).status).toBe(429);
  });

  it('can be narrowed to a route, a service or a queue, however its name is written', async (t) => {
    const api = await startWith(t, [
      {
        name: 'mail-jobs',
        limit: 1,
        period: 'hour',
        by: ['key', 'queue'],
        match: { queue: ['mail*'], route: ['POST *'] },
      },
      {
        name: 'cache-reads',
        limit: 1,
        period: 'hour',
        by: [],
        match: { service: ['redis'], route: ['GET *'] },
      },
    ]);
    const post = async (queue: string) =>
      (await api.call(`/api/v2/queues/${queue}/jobs`, { method: 'POST', json: { name: 'send', data: {} } }))
        .status;

    expect([await post('mail'), await post('m%61il'), await post('mail-eu'), await post('sms')]).toEqual([
      201, 429, 201, 201,
    ]);
    expect((await api.call('/api/v2/redis?keys=a')).status).toBe(200);
    expect((await api.call('/api/v2/REDIS?keys=a')).status).toBe(429);
    expect((await api.call('/api/v2/redis', { method: 'POST', json: { resource: [] } })).status).not.toBe(
      429,
    );
  });

  it('give up a lease when the answer has gone out', async (t) => {
    const api = await startWith(t, [{ name: 'at-once', algorithm: 'concurrency', limit: 1, by: ['key'] }]);

    for (let i = 0; i < 5; i += 1) expect((await api.call('/api/v2/redis?keys=a')).status).toBe(200);
    const together = await Promise.all(Array.from({ length: 5 }, () => api.call('/api/v2/redis?keys=a')));

    expect(together.map(({ status }) => status)).toContain(429);
  });

  it('are told to Prometheus by policy', async (t) => {
    const api = await startApi(t, { API_LIMIT_PER_KEY: '1/hour' });
    const key = await api.makeKey(['cache:*']);
    for (let i = 0; i < 3; i += 1) await api.call('/api/v2/redis?keys=a', { key });

    const text = await (await api.call('/metrics')).text();

    expect(text).toContain('sluice_limit_decisions_total{policy="api-per-key",outcome="allowed"} 1');
    expect(text).toContain('sluice_limit_decisions_total{policy="api-per-key",outcome="refused"} 2');
    expect(text).toContain('sluice_limit_remembered_refusals_total{policy="api-per-key"} 1');
  });
});

describe('the configuration of limits', () => {
  const policiesOf = async (limits: unknown[], variables: Record<string, string> = {}) =>
    readConfig({ ...variables, SLUICE_CONFIG: await fileOf({ limits }) }).limits.policies;

  it('puts a policy of the file in the place of one of ours', async () => {
    const policies = await policiesOf([{ name: 'api-per-key', limit: 5, period: '10s', by: ['key'] }], {
      API_LIMIT_PER_ADDRESS: 'off',
      API_LIMIT_REFUSED: '9/2h',
    });

    expect(policies).toEqual([
      {
        name: 'api-refused',
        by: ['address'],
        match: { route: ['refused'] },
        limit: 9,
        period: '2h',
        prepay: 0,
      },
      { name: 'api-per-key', limit: 5, period: '10s', by: ['key'] },
    ]);
  });

  it('names every fault at its place', async () => {
    const limits = [
      { name: 'a', limit: 1 },
      { name: 'b', limit: 1, period: 'minute', by: ['user'] },
      { name: 'c', limit: 'many', period: 'minute' },
      { name: 'd', limit: 1, period: 'minute' },
      { name: 'd', limit: 1, period: 'minute' },
    ];

    const read = policiesOf(limits, { API_LIMIT_PER_KEY: '5 a minute', TRUSTED_PROXIES: '10.0.0.0' });

    await expect(read).rejects.toThrow(/API_LIMIT_PER_KEY: got '5 a minute'/);
    await expect(read).rejects.toThrow(/TRUSTED_PROXIES: got '10\.0\.0\.0' is not a CIDR/);
    await expect(read).rejects.toThrow(/limits\[0\]\.period: .* wanted gcra needs a period/);
    await expect(read).rejects.toThrow(
      /limits\[1\]\.by: .* wanted some of key, session, address, route, service, queue/,
    );
    await expect(read).rejects.toThrow(/limits\[2\]\.limit: /);
    await expect(read).rejects.toThrow(/limits\[4\]\.name: got 'd' once more/);
  });
});
