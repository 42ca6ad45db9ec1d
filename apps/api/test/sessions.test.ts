import type { TestContext } from '@sluice/redis/testing';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

describe('sessions over HTTP', () => {
  it('makes a session and reads it by its token', async (t) => {
    const { post, current } = await setup(t);

    const made = await post({ user_id: 'ada', data: { cart: ['tea'] }, address: '192.0.2.1', agent: 'curl' });
    const read = await current('GET', made.body.session_token);

    const { session_token: token, ...session } = made.body;
    expect(made.status).toBe(201);
    expect(token).toMatch(/^[\w-]{80}$/);
    expect(session).toEqual({
      id: expect.stringMatching(/^[\w-]{22}$/),
      user_id: 'ada',
      version: 1,
      created_at: expect.stringMatching(INSTANT),
      seen_at: session.created_at,
      expires_at: expect.stringMatching(INSTANT),
      ends_at: expect.stringMatching(INSTANT),
      address: '192.0.2.1',
      agent: 'curl',
      data: { cart: ['tea'] },
    });
    expect(spanSeconds(session, 'expires_at')).toBe(1_800);
    expect(spanSeconds(session, 'ends_at')).toBe(43_200);
    expect([read.status, read.body]).toEqual([200, session]);
  });

  it('takes timeouts of its own, a number for a user, and nobody', async (t) => {
    const { post } = await setup(t);

    const short = await post({ user_id: 42, ttl: 60, max_ttl: 600 });
    const nobody = await post({});

    expect(short.body.user_id).toBe('42');
    expect([spanSeconds(short.body, 'expires_at'), spanSeconds(short.body, 'ends_at')]).toEqual([60, 600]);
    expect([nobody.status, nobody.body.user_id, nobody.body.data]).toEqual([201, null, {}]);
  });

  it('gives data back to the letter', async (t) => {
    const { api, current } = await setup(t);
    const data = '{"n":12345678901234567890,"f":1.0,"s":"\\u00e9"}';

    const made = await api.call('/api/v2/sessions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: `{"user_id":"ada","data":${data}}`,
    });
    const { session_token: token } = JSON.parse(await made.text()) as { session_token: string };

    expect((await current('GET', token)).text).toContain(`"data":${data}`);
    const patched = await current('PATCH', token, { data: { s: null, more: 1 } });
    expect(patched.text).toContain('"data":{"n":12345678901234567890,"f":1.0,"more":1}');
  });

  it('refuses what is no session: 401 without a token, with a wrong one and with one that ended', async (t) => {
    const { post, current } = await setup(t);
    const { body } = await post({ user_id: 'ada' });
    await current('DELETE', body.session_token);

    for (const token of [undefined, '', 'x', 'A'.repeat(80), body.session_token]) {
      for (const method of ['GET', 'PATCH', 'PUT']) {
        const answer = await current(method, token, method === 'PATCH' ? { data: {} } : undefined);

        expect([method, token, answer.status]).toEqual([method, token, 401]);
        expect(answer.headers.get('www-authenticate')).toBe('Session');
        expect(answer.body.error.context.reason).toBe('session_token_invalid');
      }
    }
  });

  it('reads a token from the query only where that is allowed', async (t) => {
    const { api: strict, post } = await setup(t);
    const { api: lax, post: postLax } = await setup(t, { ALLOW_QUERY_CREDENTIALS: 'true' });
    const read = async (api: TestApi, token: string) =>
      (await api.call(`/api/v2/sessions/current?session_token=${token}`)).status;

    const inStrict = await read(strict, (await post({ user_id: 'ada' })).body.session_token);
    const inLax = await read(lax, (await postLax({ user_id: 'ada' })).body.session_token);

    expect([inStrict, inLax]).toEqual([401, 200]);
  });

  it('changes data by merge or whole, and only on the version that was read', async (t) => {
    const { post, current } = await setup(t);
    const { session_token: token } = (await post({ user_id: 'ada', data: { a: 1, b: 2 } })).body;

    const merged = await current('PATCH', token, { data: { a: null, c: 3 }, version: 1 });
    const late = await current('PATCH', token, { data: { d: 4 }, version: 1 });
    const replaced = await current('PATCH', token, { data: { e: 5 }, mode: 'replace', version: 2 });

    expect([merged.status, merged.body.data, merged.body.version]).toEqual([200, { b: 2, c: 3 }, 2]);
    expect([late.status, late.body.error.context]).toEqual([
      409,
      { reason: 'session_conflict', request_id: expect.any(String), version: 2 },
    ]);
    expect([replaced.status, replaced.body.data, replaced.body.version]).toEqual([200, { e: 5 }, 3]);
  });

  it('loses none of many changes at once', async (t) => {
    const { post, current } = await setup(t);
    const { session_token: token } = (await post({ user_id: 'ada' })).body;
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];

    const answers = await Promise.all(names.map((name) => current('PATCH', token, { data: { [name]: 1 } })));

    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200));
    expect((await current('GET', token)).body).toMatchObject({
      version: 7,
      data: Object.fromEntries(names.map((name) => [name, 1])),
    });
  });

  it('rotates: the new token is the session, the old one is honoured as long as asked', async (t) => {
    const { post, current } = await setup(t);
    const { session_token: first, id } = (await post({ user_id: 'ada', data: { a: 1 } })).body;

    const second = await current('PUT', first);
    const again = await current('PUT', first);
    const third = await current('PUT', second.body.session_token, { overlap: 0 });

    expect([second.status, second.body.id, second.body.data]).toEqual([200, id, { a: 1 }]);
    expect([again.status, again.body.error.context.reason]).toEqual([409, 'session_superseded']);
    expect((await current('GET', second.body.session_token)).status).toBe(401);
    expect((await current('GET', third.body.session_token)).status).toBe(200);
  });

  it('logs out, twice without complaint', async (t) => {
    const { post, current } = await setup(t);
    const { session_token: token } = (await post({ user_id: 'ada' })).body;

    const ends = [await current('DELETE', token), await current('DELETE', token)];

    expect(ends.map(({ status, body }) => [status, body])).toEqual([
      [200, { success: true }],
      [200, { success: true }],
    ]);
    expect((await current('GET', token)).status).toBe(401);
  });

  it('ends the visitor’s session at the login that replaces it', async (t) => {
    const { post, current } = await setup(t);
    const visitor = (await post({ data: { cart: 1 } })).body;

    const login = await post({ user_id: 'ada', replaces: visitor.session_token });

    expect(login.body.id).not.toBe(visitor.id);
    expect((await current('GET', visitor.session_token)).status).toBe(401);
  });

  it('lists the sessions of a user without tokens and data', async (t) => {
    const { api, post } = await setup(t);
    const made = (await post({ user_id: 'ada lovelace/1', data: { secret: 1 } })).body;
    await post({ user_id: 'bob' });

    const listed = await api.call(`/api/v2/users/${encodeURIComponent('ada lovelace/1')}/sessions`);

    const { session_token: _token, data: _data, ...summary } = made;
    expect(await listed.json()).toEqual({ resource: [summary], meta: { count: 1, generation: 0 } });
  });

  it('revokes one by its id, all others, and all', async (t) => {
    const { api, post, current } = await setup(t);
    const [own, one, two] = [
      (await post({ user_id: 'ada' })).body,
      (await post({ user_id: 'ada' })).body,
      (await post({ user_id: 'ada' })).body,
    ];
    const remove = async (path: string, token?: string) => {
      const headers: Record<string, string> = token ? { 'X-DreamFactory-Session-Token': token } : {};
      const answer = await api.call(`/api/v2/users/ada/sessions${path}`, { method: 'DELETE', headers });
      return [answer.status, (await answer.json()) as Record<string, unknown>];
    };

    const byId = await remove(`/${one.id}`);
    const again = await remove(`/${one.id}`);
    const others = await remove('?except_current=true', own.session_token);
    const left = await current('GET', own.session_token);
    const all = await remove('');

    expect(byId).toEqual([200, { success: true }]);
    expect(again).toMatchObject([404, { error: { context: { reason: 'session_not_found' } } }]);
    expect(others).toEqual([200, { success: true, revoked: 1 }]);
    expect(left.status).toBe(200);
    expect(all).toEqual([200, { success: true, revoked: 1 }]);
    for (const { session_token: token } of [own, one, two])
      expect((await current('GET', token)).status).toBe(401);
  });

  it('does not let the session of one user spare itself among those of another', async (t) => {
    const { api, post } = await setup(t);
    const [ada, bob] = [(await post({ user_id: 'ada' })).body, (await post({ user_id: 'bob' })).body];

    const answer = await api.call('/api/v2/users/ada/sessions?except_current=true', {
      method: 'DELETE',
      headers: { 'X-DreamFactory-Session-Token': bob.session_token },
    });

    expect(answer.status).toBe(401);
    const listed = (await (await api.call('/api/v2/users/ada/sessions')).json()) as {
      resource: { id: string }[];
    };
    expect(listed.resource.map(({ id }) => id)).toEqual([ada.id]);
  });

  it('refuses a login that began before a revocation of all', async (t) => {
    const { api, post } = await setup(t);
    const list = await api.call('/api/v2/users/ada/sessions');
    const { meta } = (await list.json()) as { meta: { generation: number } };
    await api.call('/api/v2/users/ada/sessions', { method: 'DELETE' });

    const login = await post({ user_id: 'ada', generation: meta.generation });

    expect([login.status, login.body.error.context.reason]).toEqual([409, 'session_revoked']);
  });

  it('says what is wrong with a body', async (t) => {
    const { post } = await setup(t);
    const bodies: [body: unknown, status: number, reason: string][] = [
      [{ user_id: '' }, 400, 'input_invalid'],
      [{ user_id: '\ud800' }, 400, 'input_invalid'],
      [{ user_id: 'x'.repeat(257) }, 400, 'input_invalid'],
      [{ user_id: 1.5 }, 400, 'input_invalid'],
      [{ user_id: 'ada', ttl: 0 }, 400, 'input_invalid'],
      [{ user_id: 'ada', session_token: 'mine' }, 400, 'input_invalid'],
      [{ user_id: 'ada', data: [] }, 400, 'session_data_invalid'],
      [{ user_id: 'ada', data: null }, 400, 'session_data_invalid'],
      [{ user_id: 'ada', data: { a: 'x'.repeat(70_000) } }, 413, 'session_data_too_large'],
    ];

    for (const [body, status, reason] of bodies) {
      const answer = await post(body);
      expect([answer.status, answer.body.error.context.reason], JSON.stringify(body).slice(0, 60)).toEqual([
        status,
        reason,
      ]);
    }
  });

  it('needs the right to read, or to write', async (t) => {
    const { api, post } = await setup(t);
    const { session_token: token } = (await post({ user_id: 'ada' })).body;
    const reader = await api.makeKey(['sessions:read']);
    const writer = await api.makeKey(['sessions:write']);
    const headers = { 'X-DreamFactory-Session-Token': token };
    const status = async (method: string, path: string, key: string) =>
      (await api.call(path, { method, key, headers })).status;

    const statuses = [
      await status('GET', '/api/v2/sessions/current', reader),
      await status('GET', '/api/v2/sessions/current', writer),
      await status('GET', '/api/v2/users/ada/sessions', writer),
      await status('DELETE', '/api/v2/users/ada/sessions', reader),
      await status('PUT', '/api/v2/sessions/current', reader),
      await status('PUT', '/api/v2/sessions/current', writer),
    ];

    expect(statuses).toEqual([200, 403, 403, 403, 403, 200]);
  });

  it('keeps sessions on disk when told to, and nothing of them in Redis', async (t) => {
    const { api, post, current } = await setup(t, { SESSION_DRIVER: 'file' });

    const { session_token: token } = (await post({ user_id: 'ada', data: { a: 1 } })).body;

    expect((await current('GET', token)).body.data).toEqual({ a: 1 });
    expect((await api.redis.allKeys()).filter((key) => key.includes(':session:'))).toEqual([]);
  });

  it('takes its timeouts from the environment', async (t) => {
    const { post } = await setup(t, {
      SESSION_IDLE_SECONDS: '60',
      SESSION_MAX_SECONDS: '120',
      SESSION_MAX_PER_USER: '1',
    });

    const made = await post({ user_id: 'ada' });

    expect([spanSeconds(made.body, 'expires_at'), spanSeconds(made.body, 'ends_at')]).toEqual([60, 120]);
  });

  it('answers 503 while its Redis is away, and never that a session is live', async (t) => {
    const server = await testServer(t);
    const { post, current } = await setup(t, { SESSION_URL: server.url });
    await expect.poll(async () => (await post({ user_id: 'ada' })).status, { timeout: 5_000 }).toBe(201);
    const { session_token: token } = (await post({ user_id: 'ada' })).body;

    await server.kill();
    const answers = [
      await current('GET', token),
      await current('PUT', token),
      await current('DELETE', token),
    ];

    for (const { status, body, headers } of answers) {
      expect(status).toBe(503);
      expect(headers.get('retry-after')).toBe('1');
      expect(['redis_unavailable', 'outcome_unknown']).toContain(body.error.context.reason);
    }
  });

  it('writes no token to its log', async (t) => {
    const { api, post, current } = await setup(t);
    const { session_token: token } = (await post({ user_id: 'ada', data: { canary: 'tea-and-cake' } })).body;
    const rotated = await current('PUT', token);
    await current('GET', rotated.body.session_token);

    const logged = api.logged();

    expect(logged).toContain('session created');
    for (const secret of [token, rotated.body.session_token, token.slice(38), 'tea-and-cake']) {
      expect(logged).not.toContain(secret);
    }
  });
});

async function setup(t: TestContext, variables: Record<string, string> = {}) {
  const api = await startApi(t, variables);
  const answer = async (response: Response) => {
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
  };
  return {
    api,
    post: async (json: unknown) => await answer(await api.call('/api/v2/sessions', { method: 'POST', json })),
    current: async (method: string, token: string | undefined, json?: unknown) => {
      const headers: Record<string, string> =
        token === undefined ? {} : { 'X-DreamFactory-Session-Token': token };
      const init = { method, headers, ...(json !== undefined && { json }) };
      return await answer(await api.call('/api/v2/sessions/current', init));
    },
  };
}

function spanSeconds(session: { created_at: string }, until: 'expires_at' | 'ends_at'): number {
  const { [until]: end = '' } = session as Record<string, string>;
  return (Date.parse(end) - Date.parse(session.created_at)) / 1_000;
}
