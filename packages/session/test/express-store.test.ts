import { promisify } from 'node:util';
import { untilReady } from '@sluice/redis';
import { type TestContext, testRedis, testServer } from '@sluice/redis/testing';
import type session from 'express-session';
import { describe, expect, test, vi } from 'vitest';
import type { SessionDriver } from '../src/driver.ts';
import { FileSessionDriver } from '../src/file-driver.ts';
import { RedisSessionDriver } from '../src/redis-driver.ts';
import { expressStore, type Store, serve } from './express.ts';
import { testDirectory } from './setup.ts';

const MINUTE = 60_000;

const drivers: Record<string, (t: TestContext) => Promise<SessionDriver>> = {
  Redis: async (t) => {
    const { client, keys } = await testRedis(t);
    return new RedisSessionDriver({ client, keys, area: 'express' });
  },
  files: async (t) => new FileSessionDriver({ directory: await testDirectory(t) }),
};

for (const [name, open] of Object.entries(drivers)) {
  describe(`what connect-redis promises, in ${name}`, () => {
    test('a session set is got, with the default timeout', async (t) => {
      const { call } = await setup(t);

      await call.set('123', { foo: 'bar' });

      expect(await call.get('123')).toEqual({ foo: 'bar' });
      expect(await call.get('456')).toBeUndefined();
    });

    test("the cookie's expiry is the session's, and a touch moves it", async (t) => {
      const { call } = await setup(t);
      const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

      await call.set('456', { cookie: { expires: inMs(MINUTE) } });
      const before = await expiresInMs(call, '456');
      await call.touch('456', { cookie: { expires: inMs(90_000) } });
      const after = await expiresInMs(call, '456');

      expect(before).toBeLessThanOrEqual(MINUTE + 1_000);
      expect(after).toBeGreaterThan(80_000);
      expect(after).toBeLessThanOrEqual(91_000);
    });

    test('sessions are counted, told and cleared', async (t) => {
      const { store, call } = await setup(t);
      await call.set('123', { foo: 'bar' });
      await call.set('456', { cookie: { expires: null }, n: 1 });

      const all = await promisify(store.all.bind(store))();
      const length = await call.length();
      await call.clear();

      expect(length).toBe(2);
      expect(all).toHaveLength(2);
      expect(all).toEqual(expect.arrayContaining([{ foo: 'bar' }, { cookie: { expires: null }, n: 1 }]));
      expect([await call.length(), await call.get('123')]).toEqual([0, undefined]);
    });

    test('a destroyed session is gone, the others are not', async (t) => {
      const { call } = await setup(t);
      await call.set('123', { foo: 'bar' });
      await call.set('456', { foo: 'baz' });

      await call.destroy('456');
      await call.destroy('never there');

      expect([await call.length(), await call.get('456')]).toEqual([1, undefined]);
    });

    test('many sessions are stored, counted and cleared', async (t) => {
      const { call } = await setup(t);
      const count = name === 'Redis' ? 1_000 : 50;

      for (let sid = 0; sid < count; sid += 1) await call.set(`s${sid}`, { cookie: { expires: null } });

      expect(await call.length()).toBe(count);
      await call.clear();
      expect(await call.length()).toBe(0);
    });

    test('setting a session whose cookie has expired destroys it', async (t) => {
      const { call } = await setup(t);
      await call.set('789', { cookie: { expires: new Date(Date.now() + MINUTE) } });

      await call.set('789', { cookie: { expires: new Date(Date.now() - MINUTE) } });

      expect(await call.length()).toBe(0);
    });
  });

  describe(`what express-session promises, in ${name}`, () => {
    test('a visitor for whom nothing is remembered gets no cookie and no session', async (t) => {
      const { call, store } = await setup(t);
      const { browser } = await serve(t, store, (_request, response) => void response.send('hello'));

      const answer = await browser().get();

      expect(answer).toEqual({ status: 200, text: 'hello', setCookie: [] });
      expect(await call.length()).toBe(0);
    });

    test('a session is made, saved before the answer ends, and loaded by its cookie', async (t) => {
      const { store, call } = await setup(t);
      const { browser } = await serve(t, store, counting);
      const visitor = browser();

      const first = await visitor.get();
      const stored = await call.length();
      const answers = [first.text, (await visitor.get()).text, (await browser().get()).text];

      expect(first.setCookie[0]).toMatch(/^connect\.sid=s%3A/);
      expect(stored).toBe(1);
      expect(answers).toEqual(['1', '2', '1']);
      expect(await call.length()).toBe(2);
    });

    test('a session that is not in the store is made anew under another id', async (t) => {
      const { store, call } = await setup(t);
      const { browser } = await serve(t, store, counting);
      const visitor = browser();
      const first = await visitor.get();

      await call.clear();
      const second = await visitor.get();

      expect(second.text).toBe('1');
      expect(idOf(second.setCookie)).not.toBe(idOf(first.setCookie));
    });

    test('a session that has expired is made anew under another id', async (t) => {
      const { store } = await setup(t);
      const { browser } = await serve(t, store, counting, { cookie: { maxAge: 60 } });
      const visitor = browser();
      const first = await visitor.get();
      const sid = sidOf(first.setCookie);

      await expect
        .poll(() => promisify(store.get.bind(store))(sid), { interval: 5, timeout: 10_000 })
        .toBeUndefined();
      const second = await visitor.get();

      expect(second.text).toBe('1');
      expect(idOf(second.setCookie)).not.toBe(idOf(first.setCookie));
    });

    test('a request that changes nothing still renews the timeout', async (t) => {
      const { store, call } = await setup(t, { touchEveryMs: 0 });
      const { browser } = await serve(t, store, remembering, { cookie: { maxAge: MINUTE } });
      const visitor = browser();
      const sid = sidOf((await visitor.get('/remember')).setCookie);
      const before = await expiresAt(call, sid);

      await expect
        .poll(
          async () => {
            await visitor.get('/look');
            return await expiresAt(call, sid);
          },
          { timeout: 10_000 },
        )
        .toBeGreaterThan(before);
    });

    test('a request shortly after another does not write, and asks the store once', async (t) => {
      const { driver, store, call } = await setup(t);
      const present = vi.spyOn(driver, 'present');
      const { browser } = await serve(t, store, remembering, { cookie: { maxAge: 30 * MINUTE } });
      const visitor = browser();
      const sid = sidOf((await visitor.get('/remember')).setCookie);
      const before = await expiresAt(call, sid);

      present.mockClear();
      for (let request = 0; request < 5; request += 1) await visitor.get('/look');
      expect(present.mock.calls.map(([, deed]) => deed.kind)).toEqual(Array(5).fill('look'));

      expect(await expiresAt(call, sid)).toBe(before);
    });

    test('regenerate gives a new id and ends the old session', async (t) => {
      const { store, call } = await setup(t);
      const { browser } = await serve(t, store, (request, response, next) => {
        if (request.path !== '/login') return counting(request, response, next);
        request.session.regenerate((error) => {
          request.session.user = 'ada';
          response.send(String(error));
        });
      });
      const visitor = browser();
      const before = sidOf((await visitor.get()).setCookie);

      const login = await visitor.get('/login');

      expect(login.text).toBe('null');
      expect(sidOf(login.setCookie)).not.toBe(before);
      expect(await call.get(before)).toBeUndefined();
      expect(await call.get(sidOf(login.setCookie))).toMatchObject({ user: 'ada' });
      expect(await call.length()).toBe(1);
    });

    test('destroy ends the session, and the same cookie starts a new one', async (t) => {
      const { store, call } = await setup(t);
      const { browser } = await serve(t, store, (request, response, next) => {
        if (request.path !== '/logout') return counting(request, response, next);
        request.session.destroy((error) => response.send(String(error)));
      });
      const visitor = browser();
      await visitor.get();
      await visitor.get();

      const logout = await visitor.get('/logout');

      expect(logout.text).toBe('null');
      expect(await call.length()).toBe(0);
      expect((await visitor.get()).text).toBe('1');
    });

    test("unset: 'destroy' ends the session of a handler that lets go of it", async (t) => {
      const { store, call } = await setup(t);
      const letGo = { unset: 'destroy' } as const;
      const { browser } = await serve(
        t,
        store,
        (request, response, next) => {
          if (request.path !== '/forget') return counting(request, response, next);
          Reflect.deleteProperty(request, 'session');
          response.send('gone');
        },
        letGo,
      );
      const visitor = browser();
      await visitor.get();

      await visitor.get('/forget');

      expect(await call.length()).toBe(0);
    });

    test('reload shows what another request saved, and fails for an ended session', async (t) => {
      const { store } = await setup(t);
      const { browser } = await serve(t, store, (request, response, next) => {
        if (request.path === '/') return counting(request, response, next);
        const { sessionID } = request;
        const change = request.path === '/save' ? promisify(store.get.bind(store)) : undefined;
        const elsewhere = async () => {
          const copy = await change?.(sessionID);
          if (copy)
            await promisify(store.set.bind(store))(sessionID, {
              ...copy,
              from: 'elsewhere',
            } as session.SessionData);
          else await promisify(store.destroy.bind(store))(sessionID);
        };
        elsewhere().then(() => {
          request.session.reload((error) =>
            response.send(error ? String(error) : String(request.session.from)),
          );
        }, next);
      });
      const visitor = browser();
      await visitor.get();

      expect((await visitor.get('/save')).text).toBe('elsewhere');
      expect((await visitor.get('/end')).text).toBe('Error: failed to load session');
    });

    test('names that a session object has of its own are kept out of its way', async (t) => {
      const { store, call } = await setup(t);
      const { browser } = await serve(t, store, counting);
      const visitor = browser();
      const sid = sidOf((await visitor.get()).setCookie);

      await call.set(sid, { ...(await call.get(sid)), save: 'nope', reload: 1 });

      expect((await visitor.get()).text).toBe('2');
    });

    test('a cookie with another signature never reaches the store', async (t) => {
      const { store, call } = await setup(t);
      const { browser } = await serve(t, store, counting);
      const visitor = browser();
      const first = await visitor.get();
      const name = 'connect.sid';

      visitor.cookies.set(
        name,
        (visitor.cookies.get(name) ?? '').replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      );
      const second = await visitor.get();

      expect(second.text).toBe('1');
      expect(idOf(second.setCookie)).not.toBe(idOf(first.setCookie));
      expect(await call.length()).toBe(2);
    });
  });

  describe(`what other stores leave open, in ${name}`, () => {
    test('a request that began before a logout does not bring the session back', async (t) => {
      const { store, call } = await setup(t);
      const gate = newGate();
      const arrived = newGate();
      const { browser } = await serve(t, store, (request, response, next) => {
        if (request.path === '/logout') return request.session.destroy(() => response.send('out'));
        if (request.path !== '/slow') return counting(request, response, next);
        arrived.open();
        gate.passed.then(() => {
          request.session.count = 99;
          response.send('slow');
        }, next);
      });
      const visitor = browser();
      await visitor.get();

      const slow = visitor.get('/slow');
      await arrived.passed;
      await visitor.get('/logout');
      gate.open();
      const answer = await slow;

      expect(answer).toMatchObject({ status: 200, text: 'slow' });
      expect(await call.length()).toBe(0);
    });

    test('two requests that change different properties at once both keep theirs', async (t) => {
      const { store, call } = await setup(t);
      const gate = newGate();
      const arrived = [newGate(), newGate()];
      const { browser } = await serve(t, store, (request, response, next) => {
        if (request.path === '/') {
          Object.assign(request.session, { both: 0, kept: 'k', dropped: 'd' });
          return void response.send('made');
        }
        const at = request.path === '/a' ? 0 : 1;
        arrived[at]?.open();
        gate.passed.then(() => {
          if (at === 0) Object.assign(request.session, { a: { deep: 1 }, both: 1 });
          else Object.assign(request.session, { b: 2, both: 1 });
          if (at === 1) delete request.session.dropped;
          response.send('saved');
        }, next);
      });
      const visitor = browser();
      const sid = sidOf((await visitor.get()).setCookie);

      const requests = [visitor.get('/a'), visitor.get('/b')];
      await Promise.all(arrived.map(({ passed }) => passed));
      gate.open();
      await Promise.all(requests);

      const { cookie: _cookie, ...data } = (await call.get(sid)) ?? {};
      expect(data).toEqual({ a: { deep: 1 }, b: 2, both: 1, kept: 'k' });
    });

    test('a session saved twice in one request builds on its own save', async (t) => {
      const { store, call } = await setup(t);
      const { browser } = await serve(t, store, (request, response, next) => {
        request.session.step = 1;
        promisify(request.session.save.bind(request.session))().then(() => {
          request.session.step = 2;
          response.send('saved');
        }, next);
      });

      const sid = sidOf((await browser().get()).setCookie);

      expect(await call.get(sid)).toMatchObject({ step: 2 });
    });
  });

  async function setup(t: TestContext, tuning: { touchEveryMs?: number } = {}) {
    const driver = await open(t);
    const store = expressStore(driver, tuning);
    return { driver, store, call: promised(store) };
  }
}

test('while Redis is away a request with a cookie fails, and is not taken for a new visitor', async (t) => {
  const server = await testServer(t);
  const { keys } = await testRedis(t);
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const store = expressStore(new RedisSessionDriver({ client, keys }));
  const { browser } = await serve(t, store, counting);
  const visitor = browser();
  await visitor.get();

  await server.kill();
  const answer = await visitor.get();

  expect(answer.status).toBe(500);
  expect(answer.setCookie).toEqual([]);
});

const counting: Parameters<typeof serve>[2] = (request, response) => {
  request.session.count = Number(request.session.count ?? 0) + 1;
  response.send(String(request.session.count));
};

const remembering: Parameters<typeof serve>[2] = (request, response) => {
  if (request.path === '/remember') request.session.seen = true;
  response.send('ok');
};

/** The store's calls as promises, with data as loosely typed as a caller's. */
function promised(store: Store) {
  type Data = { cookie?: { expires?: Date | string | null }; [name: string]: unknown };
  const loose = (data: Data) => data as unknown as session.SessionData;
  return {
    get: (sid: string) => promisify(store.get.bind(store))(sid) as Promise<Data | undefined>,
    set: (sid: string, data: Data) =>
      promisify<string, session.SessionData>(store.set.bind(store))(sid, loose(data)),
    touch: (sid: string, data: Data) =>
      promisify<string, session.SessionData>(store.touch.bind(store))(sid, loose(data)),
    destroy: (sid: string) => promisify<string>(store.destroy.bind(store))(sid),
    length: () => promisify(store.length.bind(store))(),
    clear: () => promisify(store.clear.bind(store))(),
  };
}

function newGate(): { passed: Promise<void>; open(): void } {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

async function expiresAt(call: ReturnType<typeof promised>, sid: string): Promise<number> {
  return new Date((await call.get(sid))?.cookie?.expires ?? 0).getTime();
}

async function expiresInMs(call: ReturnType<typeof promised>, sid: string): Promise<number> {
  return (await expiresAt(call, sid)) - Date.now();
}

/** The signed value as the browser keeps it. */
function idOf([line = '']: string[]): string {
  return line.slice(0, line.indexOf(';'));
}

/** The id of express-session in a `Set-Cookie`: `s:<id>.<signature>`, percent-encoded. */
function sidOf(setCookie: string[]): string {
  return /=s:([^.]+)\./.exec(decodeURIComponent(idOf(setCookie)))?.[1] ?? '';
}
