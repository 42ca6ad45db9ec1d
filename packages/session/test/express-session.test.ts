import { promisify } from 'node:util';
import type { TestContext } from '@sluice/redis/testing';
import type session from 'express-session';
import { describe, expect, test, vi } from 'vitest';
import { serve } from './express.ts';
import { counting, drivers, expiresAt, idOf, remembering, sidOf, storeIn } from './express-calls.ts';

const MINUTE = 60_000;

for (const [name, open] of Object.entries(drivers)) {
  const setup = (t: TestContext, tuning?: { touchEveryMs?: number }) => storeIn(t, open, tuning);

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
}
