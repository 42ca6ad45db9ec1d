/** This file owns what every session driver does for the sessions of a user: listed, revoked, bounded. */
import type { TestContext } from '@sluice/redis/testing';
import { JsonText } from '@sluice/runtime';
import { describe, expect, test } from 'vitest';
import type { Setup, Tuning } from './setup.ts';

const MINUTE = 60_000;

export function describeUsers(
  driver: string,
  setup: (t: TestContext, tuning?: Tuning) => Promise<Setup>,
): void {
  describe(`sessions of a user in ${driver}`, () => {
    test('a user is shown their live sessions, without data or tokens', async (t) => {
      const { sessions } = await setup(t);
      const laptop = await sessions.create({ userId: 'ada', agent: 'laptop', data: { secret: 1 } });
      const phone = await sessions.create({ userId: 'ada', agent: 'phone' });
      await sessions.create({ userId: 'bob' });
      const gone = await sessions.create({ userId: 'ada' });
      await sessions.end(gone.token);

      const listed = await sessions.list('ada');

      const { data: _laptop, ...laptopSummary } = laptop.session;
      const { data: _phone, ...phoneSummary } = phone.session;
      expect(listed).toHaveLength(2);
      expect(listed).toEqual(expect.arrayContaining([laptopSummary, phoneSummary]));
    });

    test('one session is revoked by its id, by its own user only', async (t) => {
      const { sessions } = await setup(t);
      const laptop = await sessions.create({ userId: 'ada' });
      const phone = await sessions.create({ userId: 'ada' });

      const byAnother = await sessions.revoke('bob', phone.session.id);
      const byOwner = await sessions.revoke('ada', phone.session.id);

      expect([byAnother, byOwner, await sessions.revoke('ada', phone.session.id)]).toEqual([
        false,
        true,
        false,
      ]);
      expect(await sessions.read(phone.token)).toBeUndefined();
      expect((await sessions.list('ada')).map(({ id }) => id)).toEqual([laptop.session.id]);
    });

    test('all others are revoked and the own session goes on', async (t) => {
      const { sessions } = await setup(t);
      const own = await sessions.create({ userId: 'ada' });
      const others = [await sessions.create({ userId: 'ada' }), await sessions.create({ userId: 'ada' })];
      const bob = await sessions.create({ userId: 'bob' });

      const ended = await sessions.revokeOthers(own.token);

      expect(ended).toBe(2);
      for (const { token } of others) expect(await sessions.read(token)).toBeUndefined();
      expect(await sessions.read(own.token)).toBeDefined();
      expect(await sessions.read(bob.token)).toBeDefined();
      expect((await sessions.list('ada')).map(({ id }) => id)).toEqual([own.session.id]);
      await expect(sessions.revokeOthers(others[0]?.token ?? '')).rejects.toMatchObject({
        code: 'session_token_invalid',
      });
    });

    test('all sessions of a user are revoked in one step, those of others are not', async (t) => {
      const { sessions } = await setup(t);
      const ada = await Promise.all([1, 2, 3].map(() => sessions.create({ userId: 'ada' })));
      const bob = await sessions.create({ userId: 'bob' });

      const ended = await sessions.revokeAll('ada');

      expect([ended, await sessions.revokeAll('ada')]).toEqual([3, 0]);
      for (const { token } of ada) expect(await sessions.read(token)).toBeUndefined();
      expect(await sessions.list('ada')).toEqual([]);
      expect(await sessions.read(bob.token)).toBeDefined();
      const next = await sessions.create({ userId: 'ada' });
      expect(await sessions.read(next.token)).toBeDefined();
    });

    test('a login that began before a revocation of all fails, whenever it ends', async (t) => {
      const { sessions } = await setup(t);
      const beforeFirst = await sessions.generation('ada');
      await sessions.revokeAll('ada');
      const own = await sessions.create({ userId: 'ada', generation: await sessions.generation('ada') });
      const beforeSecond = await sessions.generation('ada');
      await sessions.revokeOthers(own.token);

      for (const generation of [beforeFirst, beforeSecond]) {
        const login = sessions.create({ userId: 'ada', generation });
        await expect(login).rejects.toMatchObject({ code: 'session_revoked', details: { generation: 2 } });
      }
      expect((await sessions.list('ada')).map(({ id }) => id)).toEqual([own.session.id]);
    });

    test('a login at the same time as a revocation of all never outlives it', async (t) => {
      const { sessions, another } = await setup(t);
      const elsewhere = another();
      for (let round = 0; round < 20; round += 1) {
        const generation = await sessions.generation('ada');

        const [login] = await Promise.allSettled([
          sessions.create({ userId: 'ada', generation }),
          elsewhere.revokeAll('ada'),
        ]);

        if (login.status === 'fulfilled') expect(await sessions.read(login.value.token)).toBeUndefined();
        else expect(login.reason).toMatchObject({ code: 'session_revoked' });
        expect(await sessions.list('ada')).toEqual([]);
      }
    });

    test('a login that did not look at the generation is listed, or dead', async (t) => {
      const { sessions, another } = await setup(t);
      const elsewhere = another();
      for (let round = 0; round < 20; round += 1) {
        const [login] = await Promise.all([sessions.create({ userId: 'ada' }), elsewhere.revokeAll('ada')]);

        const isLive = (await sessions.read(login.token)) !== undefined;
        const isListed = (await sessions.list('ada')).some(({ id }) => id === login.session.id);

        expect(isListed).toBe(isLive);
      }
    });

    test('two first logins at once both succeed', async (t) => {
      const { sessions } = await setup(t);
      const generation = await sessions.generation('ada');

      const logins = await Promise.all([1, 2].map(() => sessions.create({ userId: 'ada', generation })));

      for (const { token } of logins) expect(await sessions.read(token)).toBeDefined();
    });

    test('everyone is logged out in one call', async (t) => {
      const { sessions } = await setup(t);
      const users = ['ada', 'bob', null, 'eve'];
      const logins = await Promise.all(users.map((userId) => sessions.create({ userId })));
      const generation = await sessions.generation('bob');

      const ended = await sessions.revokeEveryone();

      expect(ended).toBe(4);
      for (const { token } of logins) expect(await sessions.read(token)).toBeUndefined();
      await expect(sessions.create({ userId: 'bob', generation })).rejects.toMatchObject({
        code: 'session_revoked',
      });
    });

    test('a login beyond the limit ends the session that would expire first', async (t) => {
      const { sessions } = await setup(t, { maxPerUser: 2 });
      const short = await sessions.create({ userId: 'ada', idleMs: MINUTE });
      const long = await sessions.create({ userId: 'ada' });

      const third = await sessions.create({ userId: 'ada' });

      expect(await sessions.read(short.token)).toBeUndefined();
      expect(await sessions.read(long.token)).toBeDefined();
      expect(await sessions.read(third.token)).toBeDefined();
      expect(await sessions.list('ada')).toHaveLength(2);
    });

    test('a login beyond the limit is refused where the store says so, and expired sessions do not count', async (t) => {
      const { sessions } = await setup(t, { maxPerUser: 2, whenFull: 'refuse' });
      await sessions.create({ userId: 'ada' });
      const { token } = await sessions.create({ userId: 'ada', idleMs: 2_000 });

      const refused = sessions.create({ userId: 'ada' });

      await expect(refused).rejects.toMatchObject({ code: 'session_limit_reached' });
      await expect
        .poll(() => sessions.read(token, { touch: false }), { interval: 5, timeout: 10_000 })
        .toBeUndefined();
      expect(await sessions.read((await sessions.create({ userId: 'ada' })).token)).toBeDefined();
    });

    test('a login ends the session it replaces, also one of nobody', async (t) => {
      const { sessions } = await setup(t);
      const visitor = await sessions.create({ userId: null, data: { cart: ['tea'] } });

      const login = await sessions.create({
        userId: 'ada',
        data: visitor.session.data,
        replaces: visitor.token,
      });

      expect(login.session.id).not.toBe(visitor.session.id);
      expect(await sessions.read(visitor.token)).toBeUndefined();
      expect((await sessions.read(login.token))?.data.text).toBe('{"cart":["tea"]}');
    });

    test('data must be a JSON object within its bounds', async (t) => {
      const { sessions } = await setup(t, { maxDataBytes: 100 });
      const deep = new JsonText(`{"a":${'['.repeat(64)}${']'.repeat(64)}}`);

      await expect(sessions.create({ userId: 'ada', data: { a: 'x'.repeat(100) } })).rejects.toMatchObject({
        code: 'session_data_too_large',
        details: { bytes: 108, maxBytes: 100 },
      });
      for (const data of [new JsonText('[]'), new JsonText('null'), deep]) {
        const refused = sessions.create({ userId: 'ada', data });
        await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/^session_data_/) });
      }
      expect(await sessions.list('ada')).toEqual([]);
    });

    test('users whose names look alike are told apart', async (t) => {
      const { sessions } = await setup(t);
      const names = [
        'ada',
        'Ada',
        'ada ',
        'ada}',
        '{ada',
        'ada:s',
        '__proto__',
        'constructor',
        '\u00e9',
        'e\u0301',
        '../ada',
        '\0',
      ];

      const made = await Promise.all(names.map((userId) => sessions.create({ userId })));

      for (const [at, userId] of names.entries()) {
        expect((await sessions.list(userId)).map(({ id }) => id)).toEqual([made[at]?.session.id]);
      }
    });
  });
}
