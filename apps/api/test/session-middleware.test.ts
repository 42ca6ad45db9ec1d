import { randomBytes } from 'node:crypto';
import { type TestContext, testRedis } from '@sluice/redis/testing';
import { DomainError } from '@sluice/runtime';
import {
  Csrf,
  RedisSessionDriver,
  SessionCookie,
  Sessions,
  type SessionVariables,
  sessionMiddleware,
} from '@sluice/session';
import { Hono } from 'hono';
import { expect, test } from 'vitest';

test('an anonymous visitor creates nothing and is told nothing', async (t) => {
  const { visit, redis } = await setup(t);
  const visitor = visit();

  const answers = [
    await visitor('GET', '/who'),
    await visitor('POST', '/nothing'),
    await visitor('GET', '/who'),
  ];

  expect(answers.map(({ body }) => body)).toEqual(['nobody', 'nothing', 'nobody']);
  for (const { headers } of answers) {
    expect(headers.getSetCookie()).toEqual([]);
    expect(headers.get('cache-control')).toBeNull();
  }
  expect(await redis.allKeys()).toEqual([]);
});

test('a login sets the cookie, and the cookie is the login', async (t) => {
  const { visit } = await setup(t);
  const visitor = visit();

  const login = await visitor('POST', '/login');
  const who = await visitor('GET', '/who');

  expect(login.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^__Host-id=[\w.-]{124}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=43200$/),
    expect.stringMatching(/^__Host-csrf=[\w.-]{66}; Path=\/; SameSite=Strict; Secure$/),
  ]);
  expect(who.body).toBe('ada');
  expect(who.headers.get('cache-control')).toBe('no-store');
  expect(who.headers.getSetCookie()).toEqual([]);
});

test('a login never adopts the session of the visitor, and ends it', async (t) => {
  const { visit, sessions } = await setup(t);
  const visitor = visit();
  await visitor('POST', '/cart');
  const before = visitor.token();

  await visitor('POST', '/login');

  expect(visitor.token()).not.toBe(before);
  expect(await sessions.read(before)).toBeUndefined();
  expect((await visitor('GET', '/cart')).body).toBe('{"items":["tea"]}');
});

test('a token brought along by an attacker is not adopted', async (t) => {
  const { visit, sessions } = await setup(t);
  const attacker = visit();
  await attacker('POST', '/cart');
  const planted = attacker.token();
  const victim = visit();
  victim.plant(attacker);

  await victim('POST', '/login');

  expect(victim.token()).not.toBe(planted);
  expect(await sessions.read(planted)).toBeUndefined();
  expect((await attacker('GET', '/who')).body).toBe('nobody');
});

test('a logout ends the session in the store and clears the browser', async (t) => {
  const { visit, sessions } = await setup(t);
  const visitor = visit();
  await visitor('POST', '/login');
  const token = visitor.token();

  const logout = await visitor('POST', '/logout');

  expect(await sessions.read(token)).toBeUndefined();
  expect(logout.headers.getSetCookie()).toEqual([
    '__Host-id=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0',
  ]);
  expect(logout.headers.get('clear-site-data')).toBe('"cache", "storage"');
  expect((await visitor('GET', '/who')).body).toBe('nobody');
});

test('a cookie of an ended session is cleared, and its visitor is nobody', async (t) => {
  const { visit, sessions } = await setup(t);
  const visitor = visit();
  await visitor('POST', '/login');
  await sessions.revokeAll('ada');

  const who = await visitor('GET', '/who');

  expect(who.body).toBe('nobody');
  expect(who.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-id=; .*Max-Age=0$/)]);
});

test('a change with the cookie alone is refused, and nothing is changed', async (t) => {
  const { visit, sessions } = await setup(t);
  const visitor = visit();
  await visitor('POST', '/login');

  const forged = [
    await visitor('POST', '/logout', { 'x-csrf-token': undefined }),
    await visitor('POST', '/logout', { 'sec-fetch-site': 'cross-site' }),
    await visitor('POST', '/logout', { origin: 'https://evil.test' }),
  ];

  expect(forged.map(({ status, body }) => [status, body])).toEqual([
    [403, 'csrf_refused token_missing'],
    [403, 'csrf_refused cross_site'],
    [403, 'csrf_refused origin_untrusted'],
  ]);
  expect(await sessions.read(visitor.token())).toBeDefined();
});

test('a login that another site sends is refused', async (t) => {
  const { visit, redis } = await setup(t);

  const forged = await visit()('POST', '/login', { 'sec-fetch-site': 'cross-site' });

  expect([forged.status, forged.body]).toEqual([403, 'csrf_refused cross_site']);
  expect(await redis.allKeys()).toEqual([]);
});

test('a rotation gives the browser a new cookie for the same session, and its CSRF token goes on', async (t) => {
  const { visit, sessions } = await setup(t);
  const visitor = visit();
  await visitor('POST', '/login');
  const before = visitor.token();

  const rotated = await visitor('POST', '/rotate');
  const after = await visitor('POST', '/cart');

  expect([rotated.status, after.status]).toEqual([200, 200]);
  expect(visitor.token()).not.toBe(before);
  expect(await sessions.read(before)).toBeUndefined();
});

test('a cookie signed by a key on its way out is signed anew', async (t) => {
  const { visit, visitWith, keys } = await setup(t);
  const visitor = visit();
  await visitor('POST', '/login');
  const replaced = visitWith([randomBytes(32), ...keys]);
  replaced.plant(visitor);

  const first = await replaced('GET', '/who');
  const second = await replaced('GET', '/who');

  expect([first.body, second.body]).toEqual(['ada', 'ada']);
  expect(first.headers.getSetCookie()).toHaveLength(1);
  expect(second.headers.getSetCookie()).toEqual([]);
});

test('other sessions of the user end, this one stays', async (t) => {
  const { visit } = await setup(t);
  const [laptop, phone] = [visit(), visit()];
  await laptop('POST', '/login');
  await phone('POST', '/login');

  const others = await laptop('POST', '/others');

  expect(others.body).toBe('1');
  expect([(await laptop('GET', '/who')).body, (await phone('GET', '/who')).body]).toEqual(['ada', 'nobody']);
});

async function setup(t: TestContext) {
  const redis = await testRedis(t);
  const driver = new RedisSessionDriver({ client: redis.client, keys: redis.keys });
  const sessions = new Sessions({ driver, secret: randomBytes(32) });
  const keys = [randomBytes(32)];
  const visitWith = (ring: readonly Buffer[]) => newVisitor(application(ring));

  const application = (ring: readonly Buffer[]) => {
    const app = new Hono<{ Variables: SessionVariables }>();
    app.use(
      sessionMiddleware({
        sessions,
        cookie: new SessionCookie({ keys: ring }),
        csrf: new Csrf({ keys: ring }),
      }),
    );
    app.get('/who', (c) => c.text(c.get('session').current?.userId ?? 'nobody'));
    app.post('/nothing', (c) => c.text('nothing'));
    app.post('/login', async (c) => {
      const visitor = c.get('session');
      await visitor.signIn({ userId: 'ada', data: visitor.current?.data ?? {} });
      return c.text(visitor.csrfToken());
    });
    app.post('/logout', async (c) => {
      await c.get('session').signOut();
      return c.text('out');
    });
    app.post('/rotate', async (c) => c.text((await c.get('session').rotate({ overlapMs: 0 })).id));
    app.post('/others', async (c) => c.text(String(await c.get('session').signOutOthers())));
    app.get('/cart', (c) => c.text(c.get('session').current?.data.text ?? ''));
    app.post('/cart', async (c) => {
      const visitor = c.get('session');
      const cart = { items: ['tea'] };
      await (visitor.current ? visitor.update(() => cart) : visitor.begin(cart));
      return c.text(visitor.csrfToken());
    });
    app.onError((error, c) => {
      if (error instanceof DomainError) return c.text(`${error.code} ${error.details?.refusal}`, 403);
      throw error;
    });
    return app;
  };
  return { sessions, redis, keys, visit: () => visitWith(keys), visitWith };
}

/** A browser on a page of the site: keeps cookies, sends the CSRF token of its cookie. */
function newVisitor(app: { request(path: string, init: RequestInit): Response | Promise<Response> }) {
  const cookies = new Map<string, string>();
  const visit = async (method: string, path: string, changed: Record<string, string | undefined> = {}) => {
    const headers = new Headers({ Host: 'localhost' });
    if (cookies.size > 0) headers.set('Cookie', [...cookies].map((pair) => pair.join('=')).join('; '));
    const defaults = { 'x-csrf-token': cookies.get('__Host-csrf') };
    for (const [name, value] of Object.entries({ ...defaults, ...changed })) {
      if (value !== undefined) headers.set(name, value);
    }
    const response = await app.request(path, { method, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (line.includes('Max-Age=0')) cookies.delete(name);
      else cookies.set(name, value);
    }
    return { status: response.status, body: await response.text(), headers: response.headers };
  };
  return Object.assign(visit, {
    cookies,
    token: () => cookies.get('__Host-id')?.split('.')[0] ?? '',
    plant: (other: { cookies: Map<string, string> }) => {
      for (const [name, value] of other.cookies) cookies.set(name, value);
    },
  });
}
