import { promisify } from 'node:util';
import { untilReady } from '@sluice/redis';
import { type TestContext, testRedis, testServer } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { RedisSessionDriver } from '../src/redis-driver.ts';
import { expressStore, serve } from './express.ts';
import { counting, drivers, expiresInMs, newGate, sidOf, storeIn } from './express-calls.ts';

const MINUTE = 60_000;

for (const [name, open] of Object.entries(drivers)) {
  const setup = (t: TestContext, tuning?: { touchEveryMs?: number }) => storeIn(t, open, tuning);

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
