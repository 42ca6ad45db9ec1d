/**
 * OWASP ASVS 5.0, chapter V7, as far as a session store can meet it: each test is named by its requirement. What stays with
 * the application: V7.1.3 and V7.6.1 (federation), V7.4.4 (a visible logout), V7.5.1 and V7.5.3 (asking for the password again).
 */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { DEFAULT_ABSOLUTE_MS, DEFAULT_IDLE_MS, DEFAULT_MAX_PER_USER } from '../src/options.ts';
import { Sessions } from '../src/sessions.ts';
import { TokenMint } from '../src/token.ts';
import { onRedis } from './setup.ts';

test('V7.1.1 the inactivity timeout and the maximum lifetime are those of NIST SP 800-63B AAL2', () => {
  expect([DEFAULT_IDLE_MS, DEFAULT_ABSOLUTE_MS]).toEqual([30 * 60_000, 12 * 3_600_000]);
});

test('V7.1.2 a user has at most so many sessions at once, and one more ends the one that expires first', async (t) => {
  const { sessions } = await onRedis(t, { maxPerUser: 3 });
  const logins = [];

  for (let login = 0; login < 5; login += 1) {
    logins.push(await sessions.create({ userId: 'ada', idleMs: 60_000 + login * 1_000 }));
  }

  const live = await Promise.all(logins.map(async ({ token }) => (await sessions.read(token)) !== undefined));
  expect(live).toEqual([false, false, true, true, true]);
  expect(DEFAULT_MAX_PER_USER).toBe(100);
});

test('V7.2.1 a token is good only as long as the store says so, each time anew', async (t) => {
  const { sessions, another } = await onRedis(t);
  const { token } = await sessions.create({ userId: 'ada' });
  await sessions.read(token);

  await another().end(token);

  expect(await sessions.read(token)).toBeUndefined();
});

test('V7.2.2 tokens are made for each session, none is fixed', async (t) => {
  const { sessions } = await onRedis(t);

  const made = await Promise.all(Array.from({ length: 50 }, () => sessions.create({ userId: 'ada' })));

  expect(new Set(made.map(({ token }) => token)).size).toBe(50);
});

test('V7.2.3 a token holds 256 bits from a cryptographically secure generator, and no two are alike', async () => {
  const mint = new TokenMint(randomBytes(32));
  const user = mint.userTag('ada');

  const tokens = Array.from({ length: 20_000 }, () => mint.mint(user).token);

  const secrets = tokens.map((token) => Buffer.from(token, 'base64url').subarray(28));
  expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(20_000);
  expect(secrets.every((secret) => secret.length === 32)).toBe(true);
  // Each of the 256 bits is as often one as zero; seven standard deviations are ±495 of 10,000.
  for (let bit = 0; bit < 256; bit += 1) {
    const ones = secrets.filter((secret) => ((secret[bit >> 3] as number) >> (bit & 7)) & 1).length;
    expect(Math.abs(ones - 10_000), `bit ${bit}`).toBeLessThan(495);
  }
  for (const file of await readdir(new URL('../src', import.meta.url))) {
    if (!file.endsWith('.ts')) continue;
    expect(await readFile(new URL(`../src/${file}`, import.meta.url), 'utf8'), file).not.toContain(
      'Math.random',
    );
  }
});

test('V7.2.4 authentication gives a new token and ends the current one', async (t) => {
  const { sessions } = await onRedis(t);
  const visitor = await sessions.create({ userId: null });

  const login = await sessions.create({ userId: 'ada', replaces: visitor.token });
  const again = await sessions.create({ userId: 'ada', replaces: login.token });

  expect(new Set([visitor.token, login.token, again.token]).size).toBe(3);
  expect(await sessions.read(visitor.token)).toBeUndefined();
  expect(await sessions.read(login.token)).toBeUndefined();
  expect(await sessions.read(again.token)).toBeDefined();
});

test('V7.3.1 an unused session ends after the inactivity timeout, on the server', async (t) => {
  const { sessions } = await onRedis(t, { idleMs: 50 });

  const { token } = await sessions.create({ userId: 'ada' });

  await expect
    .poll(() => sessions.read(token, { touch: false }), { interval: 5, timeout: 10_000 })
    .toBeUndefined();
});

test('V7.3.2 a session ends at its maximum lifetime, however much it is used, rotated or saved', async (t) => {
  const { sessions } = await onRedis(t, { absoluteMs: 150, touchEveryMs: 0, overlapMs: 0 });
  const { session, ...issued } = await sessions.create({ userId: 'ada' });
  let { token } = issued;

  const use = async () => {
    const rotated = await sessions.rotate(token).catch(() => undefined);
    if (rotated) token = rotated.token;
    await sessions.save(token, { data: {}, version: null }).catch(() => undefined);
    return await sessions.read(token);
  };

  await expect.poll(use, { interval: 5, timeout: 10_000 }).toBeUndefined();
  expect(Date.now()).toBeGreaterThanOrEqual(session.endsAtMs);
});

test('V7.4.1 after its end a token opens nothing: not to read, save, rotate, nor by any other call', async (t) => {
  const { sessions } = await onRedis(t);
  const { token } = await sessions.create({ userId: 'ada' });
  const rotated = await sessions.rotate(token);

  await sessions.end(rotated.token);

  for (const dead of [token, rotated.token]) {
    expect(await sessions.read(dead)).toBeUndefined();
    expect(await sessions.end(dead)).toBe(false);
    for (const call of [
      sessions.save(dead, { data: {}, version: null }),
      sessions.update(dead, (data) => data),
      sessions.rotate(dead),
      sessions.revokeOthers(dead),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'session_token_invalid' });
    }
  }
});

test('V7.4.2 all sessions of an account that is disabled end, a login under way included', async (t) => {
  const { sessions } = await onRedis(t);
  const open = [await sessions.create({ userId: 'ada' }), await sessions.create({ userId: 'ada' })];
  const generation = await sessions.generation('ada');

  await sessions.revokeAll('ada');

  for (const { token } of open) expect(await sessions.read(token)).toBeUndefined();
  await expect(sessions.create({ userId: 'ada', generation })).rejects.toMatchObject({
    code: 'session_revoked',
  });
});

test('V7.4.3 after a change of password all other sessions can be ended, and the own one goes on', async (t) => {
  const { sessions } = await onRedis(t);
  const own = await sessions.create({ userId: 'ada' });
  const stolen = await sessions.create({ userId: 'ada' });

  expect(await sessions.revokeOthers(own.token)).toBe(1);

  expect(await sessions.read(stolen.token)).toBeUndefined();
  expect((await sessions.rotate(own.token)).session.id).toBe(own.session.id);
});

test('V7.4.5 an administrator ends the sessions of one user, and of all', async (t) => {
  const { sessions } = await onRedis(t);
  const [ada, bob] = [await sessions.create({ userId: 'ada' }), await sessions.create({ userId: 'bob' })];

  await sessions.revokeAll('ada');
  const afterOne = [await sessions.read(ada.token), await sessions.read(bob.token)];
  await sessions.revokeEveryone();

  expect(afterOne).toEqual([undefined, expect.objectContaining({ userId: 'bob' })]);
  expect(await sessions.read(bob.token)).toBeUndefined();
});

test('V7.5.2 users see their sessions, with what they need to know them, and end any of them', async (t) => {
  const { sessions } = await onRedis(t);
  const laptop = await sessions.create({ userId: 'ada', address: '192.0.2.1', agent: 'laptop' });
  await sessions.create({ userId: 'ada', address: '192.0.2.2', agent: 'phone' });

  const listed = await sessions.list('ada');
  await sessions.revoke('ada', laptop.session.id);

  expect(listed.map(({ address, agent }) => `${agent} ${address}`).sort()).toEqual([
    'laptop 192.0.2.1',
    'phone 192.0.2.2',
  ]);
  expect(JSON.stringify(listed)).not.toContain(laptop.token);
  expect(await sessions.read(laptop.token)).toBeUndefined();
  expect(await sessions.list('ada')).toHaveLength(1);
});

test('V7.6.2 no session comes into being by being asked for', async (t) => {
  const { sessions, redis } = await onRedis(t);
  const elsewhere = new Sessions({ driver: (await onRedis(t)).driver, secret: randomBytes(32) });
  const { token } = await elsewhere.create({ userId: 'ada' });

  expect(await sessions.read(token)).toBeUndefined();
  expect(await sessions.read('chosen-by-the-visitor')).toBeUndefined();
  await expect(sessions.save(token, { data: {}, version: null })).rejects.toMatchObject({
    code: 'session_token_invalid',
  });

  expect(await redis.allKeys()).toEqual([]);
});
