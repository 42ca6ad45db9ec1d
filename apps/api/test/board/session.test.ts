import { clientAddressBy } from '@sluice/rate-limit';
import { expect, type TestContext, test } from 'vitest';
import { MAX_FAILURES } from '../../src/board/attempts.ts';
import { SESSION_SECONDS } from '../../src/board/session.ts';
import { basic, boardUnderTest } from './setup.ts';

const HOUR_MS = 3_600_000;

async function setup(t: TestContext) {
  const clock = { time: 1_790_000_000_000, now: () => clock.time, monotonicMs: () => clock.time };
  const board = await boardUnderTest(t, { clock });
  const key = await board.makeKey(['board']);
  const signIn = (given: string, headers: Record<string, string> = {}, next = '') =>
    fetch(`${board.address}/login`, {
      method: 'POST',
      headers: { 'Sec-Fetch-Site': 'same-origin', ...headers },
      body: new URLSearchParams({ key: given, next }),
      redirect: 'manual',
    });
  const ask = (cookie: string) => fetch(`${board.address}/api/queues`, { headers: { Cookie: cookie } });
  return { board, clock, key, signIn, ask };
}

/** Name and value of the cookie that an answer sets. */
function cookieOf(response: Response): string {
  return response.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
}

test('opens a session for a key, and closes it', async (t) => {
  const { board, key, signIn, ask } = await setup(t);

  const entered = await signIn(` ${key}\n`, {}, '/admin/queues/queue/mail?status=failed');

  expect([entered.status, entered.headers.get('location')]).toEqual([
    303,
    '/admin/queues/queue/mail?status=failed',
  ]);
  expect(entered.headers.get('set-cookie')).toMatch(
    /^sluice-board=[\w.-]+; Max-Age=28800; Path=\/admin; HttpOnly; SameSite=Strict$/,
  );
  expect(entered.headers.get('set-cookie')).not.toContain(key.slice(16));
  expect((await ask(cookieOf(entered))).status).toBe(200);

  const asked = await fetch(`${board.address}/logout`, { headers: { Cookie: cookieOf(entered) } });
  expect(await asked.text()).toContain('You are signed in with the key “key for board”');
  const left = await fetch(`${board.address}/logout`, {
    method: 'POST',
    headers: { 'Sec-Fetch-Site': 'same-origin' },
    redirect: 'manual',
  });
  expect(left.status).toBe(303);
  expect(left.headers.getSetCookie()).toEqual([
    'sluice-board=; Max-Age=0; Path=/admin',
    '__Host-sluice-board=; Max-Age=0; Path=/; Secure',
  ]);
});

test('binds the session to the host where the browser came by https', async (t) => {
  const { key, signIn, ask } = await setup(t);

  const entered = await signIn(key, { Origin: 'https://board.example' });

  expect(entered.headers.get('set-cookie')).toMatch(
    /^__Host-sluice-board=[\w.-]+; Max-Age=28800; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
  );
  expect((await ask(cookieOf(entered))).status).toBe(200);
});

test('ends a session after eight hours, and when its key is revoked', async (t) => {
  const { board, clock, key, signIn, ask } = await setup(t);
  const cookie = cookieOf(await signIn(key));
  expect(SESSION_SECONDS * 1_000).toBe(8 * HOUR_MS);

  clock.time += 8 * HOUR_MS - 1_000;
  expect((await ask(cookie)).status).toBe(200);
  clock.time += 1_000;
  expect((await ask(cookie)).status).toBe(401);

  const fresh = cookieOf(await signIn(key));
  expect((await ask(fresh)).status).toBe(200);
  const [{ id = '' } = {}] = await board.ring.list();
  await board.ring.revoke(id);
  expect((await ask(fresh)).status).toBe(401);
});

test('takes no session that it has not sealed', async (t) => {
  const { board, key, signIn, ask } = await setup(t);
  const stranger = await setup(t);
  const cookie = cookieOf(await signIn(key));
  const [keyId = '', endsAt = '', seal = ''] = cookie.replace('sluice-board=', '').split('.');
  const other = cookieOf(await stranger.signIn(stranger.key));
  const forged = [
    `${keyId}.${Number(endsAt) + 1}.${seal}`,
    `${'A'.repeat(keyId.length)}.${endsAt}.${seal}`,
    `${keyId}.${endsAt}.${seal.slice(0, -1)}${seal.endsWith('A') ? 'B' : 'A'}`,
    `${keyId}.${endsAt}.`,
    `${keyId}..${seal}`,
    `.${endsAt}.${seal}`,
    keyId,
    '',
    '%00',
    `${keyId}.${endsAt}.${seal}.${seal}`,
  ];

  for (const value of forged)
    expect([value, (await ask(`sluice-board=${value}`)).status]).toEqual([value, 401]);

  expect([(await stranger.ask(other)).status, (await ask(other)).status]).toEqual([200, 401]);
  expect((await ask(cookie)).status).toBe(200);
  expect(board.lines.join()).not.toContain(seal);
});

test.for([
  'https://evil.example/',
  '//evil.example',
  '/\\evil.example',
  '/admin/queuesevil',
  '/admin/queues/../../x\r\nSet-Cookie: a=b',
  'javascript:alert(1)',
  '/api/v2/system',
])('leads nowhere else after the sign-in: %s', async (next, t) => {
  const { key, signIn } = await setup(t);

  expect((await signIn(key, {}, next)).headers.get('location')).toBe('/admin/queues');
});

test('closes to an address that has tried too many keys, by form and by header alike', async (t) => {
  const { board, clock, key, signIn } = await setup(t);
  for (let count = 0; count < MAX_FAILURES / 2; count += 1) {
    expect((await signIn('wrong-wrong-wrong')).status).toBe(401);
    const byHeader = await fetch(`${board.address}/api/queues`, { headers: basic('wrong-wrong-wrong') });
    expect([byHeader.status, byHeader.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="Sluice", charset="UTF-8"',
    ]);
  }

  const refused = await signIn(key);

  expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('set-cookie')]).toEqual([
    429,
    '900',
    null,
  ]);
  expect(await refused.text()).toContain('Too many wrong keys. Try again in 15 minutes.');
  expect((await fetch(`${board.address}/api/queues`, { headers: basic(key) })).status).toBe(429);
  clock.time += 15 * 60_000;
  expect((await signIn(key)).status).toBe(303);
});

test('counts wrong keys by the address that a trusted proxy names', async (t) => {
  const board = await boardUnderTest(t, { clientAddress: clientAddressBy(1) });
  const ask = async (forwarded: string) => {
    const headers = { ...basic('wrong-wrong-wrong'), 'X-Forwarded-For': forwarded };
    return (await fetch(`${board.address}/api/queues`, { headers })).status;
  };
  for (let count = 0; count < MAX_FAILURES; count += 1) await ask(`10.0.0.${count}, 192.0.2.1`);

  expect([await ask('192.0.2.1'), await ask('192.0.2.2')]).toEqual([429, 401]);
});

test('takes a small form alone for a sign-in', async (t) => {
  const { board, key } = await setup(t);
  const send = async (type: string, body: string) => {
    const headers = { 'Sec-Fetch-Site': 'same-origin', 'Content-Type': type };
    return (await fetch(`${board.address}/login`, { method: 'POST', headers, body, redirect: 'manual' }))
      .status;
  };

  expect(await send('application/json', JSON.stringify({ key }))).toBe(400);
  expect(await send('text/plain', `key=${key}`)).toBe(400);
  expect(await send('application/x-www-form-urlencoded', `key=${key}&x=${'x'.repeat(5_000)}`)).toBe(400);
  expect(await send('application/x-www-form-urlencoded; charset=UTF-8', `key=${key}`)).toBe(303);
});

test('shows what was typed nowhere, and text as text', async (t) => {
  const { board, signIn } = await setup(t);
  const hostile = '"><script>alert(1)</script>';

  const form = await (
    await fetch(`${board.address}/login?next=${encodeURIComponent(`/admin/queues/${hostile}`)}`)
  ).text();
  const wrong = await (await signIn(hostile)).text();

  expect(form + wrong).not.toContain('<script');
  expect(wrong).not.toContain('alert(1)');
  expect(board.lines.join()).not.toContain('alert(1)');
});
