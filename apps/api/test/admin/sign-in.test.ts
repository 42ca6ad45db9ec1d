import { clientAddressBy } from '@sluice/rate-limit';
import { sealPassword } from '@sluice/system';
import { expect, type TestContext, test } from 'vitest';
import { MAX_FAILURES } from '../../src/admin/attempts.ts';
import { basic, boardUnderTest } from '../board/setup.ts';

async function setup(t: TestContext, times: { idleMs?: number; absoluteMs?: number } = {}) {
  const clock = { time: 1_790_000_000_000, now: () => clock.time, monotonicMs: () => clock.time };
  const board = await boardUnderTest(t, { clock, ...times });
  const key = await board.makeKey(['board']);
  const send = (form: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${board.origin}/admin/login`, {
      method: 'POST',
      headers: { 'Sec-Fetch-Site': 'same-origin', ...headers },
      body: new URLSearchParams(form),
      redirect: 'manual',
    });
  const signIn = (key: string, headers: Record<string, string> = {}, next = '') =>
    send({ key, next }, headers);
  const signInAs = (name: string, password: string) => send({ name, password });
  const ask = (cookie: string) => fetch(`${board.address}/api/queues`, { headers: { Cookie: cookie } });
  return { board, clock, key, signIn, signInAs, ask };
}

/** Name and value of the cookie that an answer sets. */
function cookieOf(response: Response): string {
  return response.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
}

/** What a page's form carries. */
function formTokenOf(page: string): string {
  return /name="csrf" value="([\w-]{43})"/.exec(page)?.[1] ?? '';
}

test('opens a session for a key, and closes it', async (t) => {
  const { board, key, signIn, ask } = await setup(t);

  const entered = await signIn(` ${key}\n`, {}, '/admin/queues/queue/mail?status=failed');

  expect([entered.status, entered.headers.get('location')]).toEqual([
    303,
    '/admin/queues/queue/mail?status=failed',
  ]);
  expect(entered.headers.get('set-cookie')).toMatch(
    /^sluice-operator=[\w-]{80}\.[\w-]{43}; Path=\/admin; HttpOnly; SameSite=Strict; Max-Age=43200$/,
  );
  expect(entered.headers.get('set-cookie')).not.toContain(key.slice(16));
  const cookie = cookieOf(entered);
  expect((await ask(cookie)).status).toBe(200);

  const page = await (await fetch(`${board.origin}/admin/logout`, { headers: { Cookie: cookie } })).text();
  expect(page).toContain('You are signed in with the key <strong>key for board</strong>');
  const leave = (csrf: string) =>
    fetch(`${board.origin}/admin/logout`, {
      method: 'POST',
      headers: { 'Sec-Fetch-Site': 'same-origin', Cookie: cookie },
      body: new URLSearchParams({ csrf }),
      redirect: 'manual',
    });
  expect((await leave('A'.repeat(43))).status).toBe(403);
  const left = await leave(formTokenOf(page));
  expect([left.status, left.headers.getSetCookie()]).toEqual([
    303,
    [
      '__Secure-sluice-operator=; Path=/admin; HttpOnly; SameSite=Strict; Secure; Max-Age=0',
      'sluice-operator=; Path=/admin; HttpOnly; SameSite=Strict; Max-Age=0',
    ],
  ]);
  expect((await ask(cookie)).status).toBe(401);
});

test('keeps the cookie from plain http where the browser came by https', async (t) => {
  const { key, signIn, ask } = await setup(t);

  const entered = await signIn(key, { Origin: 'https://board.example' });

  expect(entered.headers.get('set-cookie')).toMatch(
    /^__Secure-sluice-operator=[\w.-]+; Path=\/admin; HttpOnly; SameSite=Strict; Secure; Max-Age=43200$/,
  );
  expect((await ask(cookieOf(entered))).status).toBe(200);
});

test('opens a session for an account, with what its role may do', async (t) => {
  const { board, signInAs, ask } = await setup(t);
  const password = 'correct horse battery';
  await board.makeAccount({ name: 'ada', role: 'viewer', password });
  await board.queue('mail');

  const refused = await Promise.all([
    signInAs('ada', 'wrong horse battery'),
    signInAs('nobody', password),
    signInAs('<b>', password),
    signInAs('ada', ''),
  ]);
  const cookie = cookieOf(await signInAs('ada', password));

  expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
  expect(await refused[0]?.text()).toContain('Name and password do not belong together.');
  expect(cookie).toMatch(/^sluice-operator=/);
  expect((await ask(cookie)).status).toBe(200);
  const pause = await fetch(`${board.address}/api/queues/mail/pause`, {
    method: 'PUT',
    headers: { 'Sec-Fetch-Site': 'same-origin', Cookie: cookie },
  });
  expect(pause.status).toBe(403);
  expect(board.lines.join()).not.toContain('horse');
});

test.for(['another password', 'suspended', 'removed'] as const)(
  'ends the session of an account that is changed: %s',
  async (change, t) => {
    const { board, signInAs, ask } = await setup(t);
    const book = await board.makeAccount({ name: 'ada', role: 'admin', password: 'correct horse battery' });
    const cookie = cookieOf(await signInAs('ada', 'correct horse battery'));
    expect((await ask(cookie)).status).toBe(200);
    const by = { author: { kind: 'cli', id: null, label: 'test' }, requestId: null } as const;

    const password = await sealPassword('another horse battery');
    if (change === 'another password') await book.update('ada', (body) => ({ ...body, password }), by);
    if (change === 'suspended') await book.update('ada', (body) => ({ ...body, isActive: false }), by);
    if (change === 'removed') await book.remove('ada', by);

    expect((await ask(cookie)).status).toBe(401);
    expect((await signInAs('ada', 'correct horse battery')).status).toBe(401);
  },
);

test('ends a session that is not used, one that is old, and one whose key is revoked', async (t) => {
  const idle = await setup(t, { idleMs: 300 });
  const old = await setup(t, { absoluteMs: 300 });
  const revoked = await setup(t);
  const cookie = cookieOf(await revoked.signIn(revoked.key));
  expect((await revoked.ask(cookie)).status).toBe(200);

  for (const { key, signIn, ask } of [idle, old]) {
    const short = cookieOf(await signIn(key));
    expect((await ask(short)).status).toBe(200);
    await expect.poll(async () => (await ask(short)).status, { interval: 400 }).toBe(401);
  }
  const [{ id = '' } = {}] = await revoked.board.ring.list();
  await revoked.board.ring.revoke(id);

  expect((await revoked.ask(cookie)).status).toBe(401);
});

test('takes no session that it has not signed', async (t) => {
  const { board, key, signIn, ask } = await setup(t);
  const stranger = await setup(t);
  const cookie = cookieOf(await signIn(key));
  const other = cookieOf(await stranger.signIn(stranger.key));
  const [token = '', mac = ''] = cookie.replace('sluice-operator=', '').split('.');
  const forged = [
    `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}.${mac}`,
    `${token}.${mac.slice(0, -1)}${mac.endsWith('A') ? 'B' : 'A'}`,
    `${token}.`,
    token,
    '',
    '%00',
    `${token}.${mac}.${mac}`,
  ];

  for (const value of forged)
    expect([value, (await ask(`sluice-operator=${value}`)).status]).toEqual([value, 401]);

  expect([(await stranger.ask(other)).status, (await ask(other)).status]).toEqual([200, 401]);
  expect((await ask(cookie)).status).toBe(200);
  expect(board.lines.join()).not.toContain(token);
});

test('ends the session that a sign-in takes the place of', async (t) => {
  const { key, signIn, ask } = await setup(t);
  const first = cookieOf(await signIn(key));

  const second = cookieOf(await signIn(key, { Cookie: first }));

  expect([(await ask(first)).status, (await ask(second)).status]).toEqual([401, 200]);
});

test.for([
  'https://evil.example/',
  '//evil.example',
  '/\\evil.example',
  '/administer',
  '/admin/queues/../../x\r\nSet-Cookie: a=b',
  'javascript:alert(1)',
  '/api/v2/system',
])('leads nowhere else after the sign-in: %s', async (next, t) => {
  const { key, signIn } = await setup(t);

  expect((await signIn(key, {}, next)).headers.get('location')).toBe('/admin');
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
  expect(await refused.text()).toContain('Too many wrong tries. Try again in 15 minutes.');
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
    return (await fetch(`${board.origin}/admin/login`, { method: 'POST', headers, body, redirect: 'manual' }))
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
    await fetch(`${board.origin}/admin/login?next=${encodeURIComponent(`/admin/queues/${hostile}`)}`)
  ).text();
  const wrong = await (await signIn(hostile)).text();

  expect(form + wrong).not.toMatch(/<script(?! src="\/admin\/static\/console\.\w{10}\.js" defer>)/);
  expect(wrong).not.toContain('alert(1)');
  expect(board.lines.join()).not.toContain('alert(1)');
});
