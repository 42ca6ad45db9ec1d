/** This file owns the behaviour that every session driver shares; each driver's test runs it. */
import type { TestContext } from '@sluice/redis/testing';
import { JsonText } from '@sluice/runtime';
import { describe, expect, test } from 'vitest';
import type { Setup, Tuning } from './setup.ts';

const MINUTE = 60_000;

export function describeSessions(
  driver: string,
  setup: (t: TestContext, tuning?: Tuning) => Promise<Setup>,
): void {
  describe(`sessions in ${driver}`, () => {
    test('a session is read back as it was made', async (t) => {
      const { sessions } = await setup(t);

      const { token, session } = await sessions.create({
        userId: 'ada',
        data: { cart: ['tea'] },
        address: '192.0.2.7',
        agent: 'Firefox',
      });
      const read = await sessions.read(token);

      expect(read).toEqual(session);
      expect(session).toEqual({
        id: expect.stringMatching(/^[\w-]{22}$/),
        userId: 'ada',
        data: new JsonText('{"cart":["tea"]}'),
        version: 1,
        createdAtMs: expect.any(Number),
        seenAtMs: session.createdAtMs,
        expiresAtMs: session.createdAtMs + 30 * MINUTE,
        endsAtMs: session.createdAtMs + 12 * 60 * MINUTE,
        address: '192.0.2.7',
        agent: 'Firefox',
      });
      expect(Math.abs(session.createdAtMs - Date.now())).toBeLessThan(MINUTE);
    });

    test('data given as JSON text is kept to the letter', async (t) => {
      const { sessions } = await setup(t);
      const text = '{"n": 12345678901234567890, "a":1.0, "a":2, "s":"\\u0000 é 🚀"}';

      const { token } = await sessions.create({ userId: 'ada', data: new JsonText(text) });

      expect((await sessions.read(token))?.data.text).toBe(text);
    });

    test('nobody has a session too, and nothing of it is listed under a name', async (t) => {
      const { sessions } = await setup(t);

      const { token, session } = await sessions.create({ userId: null });

      expect(session.userId).toBeNull();
      expect(session.data.text).toBe('{}');
      expect((await sessions.read(token))?.id).toBe(session.id);
    });

    test('a token that was never issued opens nothing', async (t) => {
      const { sessions } = await setup(t);
      const { token } = await sessions.create({ userId: 'ada' });
      const other = await sessions.create({ userId: 'ada' });
      const lastChanged = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
      // The place of one session with the secret of another.
      const spliced = token.slice(0, 38) + other.token.slice(38);

      const tries = [
        '',
        'x',
        token.slice(1),
        `${token}A`,
        lastChanged,
        spliced,
        '_'.repeat(80),
        `${token}\n`,
      ];

      for (const wrong of tries) expect(await sessions.read(wrong), wrong).toBeUndefined();
      expect(await sessions.end(lastChanged)).toBe(false);
      await expect(sessions.rotate(lastChanged)).rejects.toMatchObject({ code: 'session_token_invalid' });
      expect(await sessions.read(token)).toBeDefined();
    });

    test('a session ends when it is not used for the idle timeout', async (t) => {
      const { sessions } = await setup(t, { idleMs: 60 });

      const { token, session } = await sessions.create({ userId: 'ada' });

      await expect
        .poll(() => sessions.read(token, { touch: false }), { interval: 5, timeout: 10_000 })
        .toBeUndefined();
      expect(Date.now()).toBeGreaterThanOrEqual(session.createdAtMs + 60);
      expect(await sessions.list('ada')).toEqual([]);
      await expect(sessions.save(token, { data: {}, version: null })).rejects.toMatchObject({
        code: 'session_token_invalid',
      });
      expect(await sessions.read(token)).toBeUndefined();
    });

    test('use renews the idle timeout, and never past the absolute one', async (t) => {
      const { sessions } = await setup(t, {
        idleMs: 10 * MINUTE,
        absoluteMs: 10 * MINUTE + 40,
        touchEveryMs: 0,
      });
      const { token, session } = await sessions.create({ userId: 'ada' });

      await expect
        .poll(async () => (await sessions.read(token))?.expiresAtMs, { interval: 5, timeout: 10_000 })
        .toBe(session.endsAtMs);
      const read = await sessions.read(token);

      expect(session.expiresAtMs).toBe(session.createdAtMs + 10 * MINUTE);
      expect(read?.seenAtMs).toBeGreaterThanOrEqual(session.createdAtMs + 40);
      expect(read?.expiresAtMs).toBe(session.endsAtMs);
    });

    test('the absolute timeout ends a session that is in use all the time', async (t) => {
      const { sessions } = await setup(t, { absoluteMs: 80, touchEveryMs: 0 });

      const { token, session } = await sessions.create({ userId: 'ada' });

      await expect.poll(() => sessions.read(token), { interval: 5, timeout: 10_000 }).toBeUndefined();
      expect(Date.now()).toBeGreaterThanOrEqual(session.endsAtMs);
    });

    test('a use shortly after the last one is not written down', async (t) => {
      const { sessions, another } = await setup(t, { touchEveryMs: 10 * MINUTE });
      const { token, session } = await sessions.create({ userId: 'ada' });

      const read = await sessions.read(token);
      await expect
        .poll(async () => (await another({ touchEveryMs: 0 }).read(token))?.seenAtMs, {
          interval: 5,
          timeout: 10_000,
        })
        .toBeGreaterThan(session.seenAtMs);

      expect(read).toEqual(session);
    });

    test('a session with a short timeout of its own is kept alive by use', async (t) => {
      const { sessions } = await setup(t);
      const { token, session } = await sessions.create({ userId: 'ada', idleMs: 1_500 });

      await expect
        .poll(async () => (await sessions.read(token))?.seenAtMs, { interval: 20, timeout: 10_000 })
        .toBeGreaterThan(session.createdAtMs + 1_500);
    });

    test('a save replaces the data and adds one to the version', async (t) => {
      const { sessions } = await setup(t);
      const { token } = await sessions.create({ userId: 'ada', data: { a: 1 } });

      const saved = await sessions.save(token, { data: { b: 2 }, version: 1 });

      expect(saved).toMatchObject({ version: 2, data: new JsonText('{"b":2}') });
      expect(await sessions.read(token)).toEqual(saved);
    });

    test('a save on an older version is refused and changes nothing', async (t) => {
      const { sessions } = await setup(t);
      const { token } = await sessions.create({ userId: 'ada', data: { a: 1 } });
      await sessions.save(token, { data: { a: 2 }, version: 1 });

      const late = sessions.save(token, { data: { a: 'late' }, version: 1 });

      await expect(late).rejects.toMatchObject({ code: 'session_conflict', details: { version: 2 } });
      expect((await sessions.read(token))?.data.text).toBe('{"a":2}');
    });

    test('changes made at the same time by a function are all kept', async (t) => {
      const { sessions, another } = await setup(t);
      const { token } = await sessions.create({ userId: 'ada', data: { count: 0 } });
      const elsewhere = another();
      const writers = [sessions, elsewhere, sessions, elsewhere, sessions];

      await Promise.all(
        writers.map((each) => each.update(token, ({ count }) => ({ count: Number(count) + 1 }))),
      );

      expect(await sessions.read(token)).toMatchObject({ version: 6, data: new JsonText('{"count":5}') });
    });

    test('a patch changes what it names, on the version it names, and nothing else', async (t) => {
      const { sessions } = await setup(t);
      const data = new JsonText('{"n":12345678901234567890,"a":{"b":1,"c":2},"gone":1}');
      const { token } = await sessions.create({ userId: 'ada', data });

      const patched = await sessions.patch(token, { data: { a: { b: null, d: 3 }, gone: null }, version: 1 });
      const late = sessions.patch(token, { data: { a: null }, version: 1 });

      await expect(late).rejects.toMatchObject({ code: 'session_conflict', details: { version: 2 } });
      expect(patched.data.text).toBe('{"n":12345678901234567890,"a":{"c":2,"d":3}}');
      expect(await sessions.read(token)).toEqual(patched);
    });

    test('a save that runs while the session ends never brings it back', async (t) => {
      const { sessions } = await setup(t);
      for (let round = 0; round < 20; round += 1) {
        const { token } = await sessions.create({ userId: 'ada' });

        await Promise.allSettled([
          sessions.save(token, { data: { round }, version: null }),
          sessions.end(token),
          sessions.update(token, () => ({ round })),
          sessions.rotate(token, { overlapMs: 0 }),
        ]);
        await sessions.end(token);
        const late = sessions.save(token, { data: { round }, version: null });

        await expect(late).rejects.toMatchObject({ code: 'session_token_invalid' });
        expect(await sessions.read(token)).toBeUndefined();
      }
    });

    test('a rotation gives a new token to the same session', async (t) => {
      const { sessions } = await setup(t);
      const { token, session } = await sessions.create({ userId: 'ada', data: { a: 1 } });

      const next = await sessions.rotate(token, { overlapMs: 0 });

      expect(next.token).not.toBe(token);
      expect(await sessions.read(next.token)).toEqual(next.session);
      expect(next.session).toMatchObject({
        id: session.id,
        version: 1,
        endsAtMs: session.endsAtMs,
        data: session.data,
      });
      expect(await sessions.read(token)).toBeUndefined();
    });

    test('the old token reads, saves and ends during the overlap, and cannot rotate', async (t) => {
      const { sessions } = await setup(t, { overlapMs: MINUTE });
      const { token } = await sessions.create({ userId: 'ada' });
      const next = await sessions.rotate(token);

      await sessions.save(token, { data: { from: 'old' }, version: 1 });

      await expect(sessions.rotate(token)).rejects.toMatchObject({ code: 'session_superseded' });
      expect((await sessions.read(next.token))?.data.text).toBe('{"from":"old"}');
      expect(await sessions.end(token)).toBe(true);
      expect(await sessions.read(next.token)).toBeUndefined();
    });

    test('the old token dies when the overlap is over, the new one lives on', async (t) => {
      const { sessions } = await setup(t, { overlapMs: 40 });
      const { token } = await sessions.create({ userId: 'ada' });

      const next = await sessions.rotate(token);

      await expect.poll(() => sessions.read(token), { interval: 5, timeout: 10_000 }).toBeUndefined();
      expect(await sessions.end(token)).toBe(false);
      expect(await sessions.read(next.token)).toBeDefined();
    });

    test('a token before the last one dies at once, overlap or not', async (t) => {
      const { sessions } = await setup(t, { overlapMs: MINUTE });
      const first = await sessions.create({ userId: 'ada' });
      const second = await sessions.rotate(first.token);

      const third = await sessions.rotate(second.token);

      expect(await sessions.read(first.token)).toBeUndefined();
      expect(await sessions.read(second.token)).toBeDefined();
      expect(await sessions.read(third.token)).toBeDefined();
    });

    test('of many rotations at once, one wins and one token is left', async (t) => {
      const { sessions } = await setup(t, { overlapMs: 0 });
      const { token } = await sessions.create({ userId: 'ada' });

      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => sessions.rotate(token)));

      const won = outcomes.flatMap((outcome) =>
        outcome.status === 'fulfilled' ? [outcome.value.token] : [],
      );
      expect(won).toHaveLength(1);
      expect(await sessions.read(won[0] ?? '')).toBeDefined();
      expect(await sessions.read(token)).toBeUndefined();
    });

    test('ending a session is final and told once', async (t) => {
      const { sessions } = await setup(t);
      const { token } = await sessions.create({ userId: 'ada' });

      const ends = [await sessions.end(token), await sessions.end(token)];

      expect(ends).toEqual([true, false]);
      expect(await sessions.read(token)).toBeUndefined();
    });
  });
}
