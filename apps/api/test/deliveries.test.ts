import { describe, expect, it } from 'vitest';
import { dataOf, PATH, post, URL_ } from './delivery-calls.ts';
import { startApi } from './harness.ts';

describe('POST /deliveries', () => {
  it('makes a job of the queue deliveries, complete to the byte of its body', async (t) => {
    const api = await startApi(t);

    const answer = await api.call(PATH, {
      method: 'POST',
      body: `{"url":"${URL_}","body":{"n": 12345678901234567890},"headers":{"X-A":"1"},"schedule":[0,"5s"]}`,
      headers: { 'Content-Type': 'application/json' },
    });

    const ref = (await answer.json()) as { id: string };
    expect([answer.status, ref]).toEqual([
      201,
      {
        id: expect.stringMatching(/^j_/),
        queue: 'deliveries',
        name: 'delivery',
        state: 'waiting',
        durability: 'memory',
      },
    ]);
    expect(answer.headers.get('location')).toBe(`/api/v2/queues/deliveries/jobs/${ref.id}`);
    expect(await dataOf(api, ref.id)).toEqual({
      url: URL_,
      method: 'POST',
      headers: { 'X-A': '1', 'content-type': 'application/json' },
      body: '{"n": 12345678901234567890}',
      endpoint: 'default',
      schedule: [0, 5_000],
      jitter: 0.1,
      timeout: 15_000,
      callback: null,
      failure_callback: null,
      proof: expect.any(String),
    });
  });

  it('has the published schedule, a delay and a time to start by', async (t) => {
    const api = await startApi(t);

    const plain = (await (await post(api, { url: URL_ })).json()) as { id: string };
    const later = await post(api, { url: URL_, schedule: [1_000], delay: 60_000, ttl: 90_000 });

    expect((await dataOf(api, plain.id)).schedule).toEqual([
      0, 5_000, 30_000, 120_000, 900_000, 3_600_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000,
    ]);
    const { id, state } = (await later.json()) as { id: string; state: string };
    expect(state).toBe('delayed');
    const job = (await (await api.call(`/api/v2/queues/deliveries/jobs/${id}`)).json()) as {
      run_at: string;
      expires_at: string;
      created_at: string;
    };
    expect(Date.parse(job.run_at) - Date.parse(job.created_at)).toBe(61_000);
    expect(Date.parse(job.expires_at) - Date.parse(job.created_at)).toBe(90_000);
  });

  it('takes turns with those of other groups, as jobs do', async (t) => {
    const api = await startApi(t);

    const { id } = (await (await post(api, { url: URL_, group: 'tenant-7' })).json()) as { id: string };

    const job = await api.call(`/api/v2/queues/deliveries/jobs/${id}`);
    expect(await job.json()).toMatchObject({ state: 'prioritized', opts: { group: 'tenant-7' } });
  });

  it('is one delivery for one idempotency key, in the header or beside the url', async (t) => {
    const api = await startApi(t);
    const headers = { 'Idempotency-Key': 'k' };

    const first = await post(api, { url: URL_, body: 1 }, { headers });
    const again = await post(api, { url: URL_, body: 1, idempotency_key: 'k' });
    const other = await post(api, { url: URL_, body: 2 }, { headers });

    expect([first.status, again.status, other.status]).toEqual([201, 200, 422]);
    expect((await again.json()) as object).toMatchObject({ id: ((await first.json()) as { id: string }).id });
  });

  it('takes a list, all or none, unless it is to go on', async (t) => {
    const api = await startApi(t);
    const good = { url: URL_, body: { a: 1 } };
    const bad = [{ url: 'ftp://example.com' }, { url: URL_, endpoint: 'nobody' }];

    const all = await post(api, { resource: [good, { ...good, sign: false }] });
    const none = await post(api, { resource: [good, ...bad] });
    const some = await post(api, { resource: [good, ...bad] }, {}, '?continue=true');

    expect(all.status).toBe(201);
    expect(await all.json()).toEqual({
      resource: [1, 2].map(() => ({ id: expect.stringMatching(/^j_/), success: true })),
      durability: 'memory',
    });
    expect([none.status, some.status]).toEqual([400, 400]);
    const { error } = (await none.json()) as { error: { code: number; context: Record<string, unknown> } };
    expect(error).toMatchObject({
      code: 1000,
      context: {
        error: [0, 1, 2],
        resource: [
          { success: false, error: { context: { reason: 'batch_refused' } } },
          { success: false, error: { context: { reason: 'delivery_invalid' } } },
          { success: false, error: { context: { reason: 'endpoint_not_found' } } },
        ],
      },
    });
    const counts = (await (await api.call('/api/v2/queues/deliveries')).json()) as {
      counts: { waiting: number };
    };
    expect(counts.counts.waiting).toBe(3);
  });

  it('refuses URLs that cannot be sent to, and says why', async (t) => {
    const api = await startApi(t);
    const urls = [
      '',
      'example.com',
      '/hook',
      'ftp://example.com/',
      'file:///etc/passwd',
      'javascript:alert(1)',
      'http://',
      'http://user@example.com/',
      'http://user:secret@example.com/',
      'http://exa mple.com/',
      'http://example.com/a b',
      'http://example.com/\r\nX-Injected: 1',
      'http://example.com\\@evil.example/',
      'http://example.com:99999/',
      'http://[::1',
      '\thttp://example.com/',
      `http://example.com/${'x'.repeat(8_200)}`,
    ];
    for (const url of urls) {
      const answer = await post(api, { url });

      expect([url.slice(0, 40), answer.status]).toEqual([url.slice(0, 40), 400]);
      // What was written there may hold a password.
      expect(await answer.text()).not.toContain('secret');
    }
  });

  it('refuses headers that would change the request, the connection or the signature', async (t) => {
    const api = await startApi(t);
    const refused: Record<string, string>[] = [
      ...[
        'Host',
        'content-length',
        'Transfer-Encoding',
        'connection',
        'Keep-Alive',
        'TE',
        'trailer',
        'Upgrade',
        'Expect',
        'accept-encoding',
        'Proxy-Authorization',
        'proxy-connection',
        'Webhook-Id',
        'webhook-signature',
        'WEBHOOK-timestamp',
        'X-Forwarded-For',
        'x-forwarded-host',
        'Forwarded',
        'Via',
        'X-Real-IP',
        'Sluice-Attempt',
        'HTTP2-Settings',
        '',
        'X A',
        'X:A',
        'X-Ä',
        'X\r\nY',
        'X\0',
        ' X',
        '(X)',
      ].map((name) => ({ [name]: '1' })),
      ...['a\r\nX: 1', 'a\nb', '\ra', 'a\0b', '\x7f', 'a\u2028b', '✓', '\ud800'].map((value) => ({
        'X-A': value,
      })),
      { 'X-A': '1', 'x-a': '2' },
      { 'X-A': 'x'.repeat(8_200) },
      Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`X-${n}`, '1'])),
    ];
    for (const headers of refused) {
      const answer = await post(api, { url: URL_, headers });

      expect([JSON.stringify(headers).slice(0, 40), answer.status]).toEqual([
        JSON.stringify(headers).slice(0, 40),
        400,
      ]);
    }
    expect((await post(api, { url: URL_, headers: { Authorization: 'x', 'X-A': 'é\t' } })).status).toBe(201);
  });

  it('refuses what it does not know or cannot keep', async (t) => {
    const api = await startApi(t);
    const refused: object[] = [
      {},
      { body: 1 },
      { url: URL_, method: 'CONNECT' },
      { url: URL_, method: 'TRACE' },
      { url: URL_, method: 'GET /' },
      { url: URL_, schedule: [] },
      { url: URL_, schedule: [-1] },
      { url: URL_, schedule: ['soon'] },
      { url: URL_, schedule: ['8d', '60d'] },
      { url: URL_, schedule: Array.from({ length: 51 }, () => 0) },
      { url: URL_, jitter: 0.6 },
      { url: URL_, timeout: 0 },
      { url: URL_, timeout: 120_001 },
      { url: URL_, sign: false, endpoint: 'default' },
      { url: URL_, callback: 'nowhere' },
      { url: URL_, callback: { url: URL_, secret: 'x' } },
      { url: URL_, delay: 1, run_at: '2030-01-01T00:00:00Z' },
      { url: URL_, attempts: 3 },
      { url: URL_, endpoint: '../x' },
    ];
    for (const delivery of refused) {
      const answer = await post(api, delivery);

      expect([JSON.stringify(delivery).slice(0, 80), answer.status]).toEqual([
        JSON.stringify(delivery).slice(0, 80),
        400,
      ]);
    }
    expect((await post(api, { url: URL_, endpoint: 'nobody' })).status).toBe(404);
    expect((await post(api, { url: URL_, callback: { url: URL_, endpoint: 'nobody' } })).status).toBe(404);
  });
});
