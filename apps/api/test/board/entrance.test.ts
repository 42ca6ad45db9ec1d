import { appRoutes } from '@bull-board/api/dist/routes.js';
import { expect, test } from 'vitest';
import { basic, boardUnderTest } from './setup.ts';

interface Call {
  method: string;
  path: string;
}

/** Each route of Bull Board, with names of things that are there. */
const ROUTES: Call[] = appRoutes.api.flatMap(({ method, route }) =>
  [method]
    .flat()
    .flatMap((each) => [route].flat().map((path) => ({ method: each.toUpperCase(), path: fill(path) }))),
);
const PAGES: Call[] = [appRoutes.entryPoint.route]
  .flat()
  .map((path) => ({ method: 'GET', path: fill(path) }));
const OTHERS: Call[] = [
  { method: 'GET', path: '/static/js/main.f10757109b.js' },
  { method: 'GET', path: '/static/locales/en-US/messages.json' },
  { method: 'GET', path: '/unknown' },
  { method: 'DELETE', path: '/api/queues/mail' },
  { method: 'HEAD', path: '/api/queues' },
  { method: 'OPTIONS', path: '/api/queues' },
];

function fill(path: string): string {
  const names: Record<string, string> = {
    queueName: 'mail',
    jobId: 'j_1',
    schedulerId: 'nightly',
    queueStatus: 'failed',
  };
  return path === '/' ? '' : path.replace(/:(\w+)/g, (_, name: string) => names[name] ?? name);
}

const JSON_BODY = { body: '{}', headers: { 'Content-Type': 'application/json' } };
const sends = (method: string) => method !== 'GET' && method !== 'HEAD';
test('lets no stranger in, whatever is asked for', async (t) => {
  const board = await boardUnderTest(t);
  await (await board.queue('mail')).add('a', {}, { jobId: 'j_1' });
  const wrong = { ...basic('sk_wrong-wrong-wrong'), 'Sec-Fetch-Site': 'same-origin' };
  const forged = { Cookie: `sluice-operator=${'A'.repeat(80)}.${'a'.repeat(43)}` };
  const answers: unknown[] = [];

  for (const { method, path } of [...ROUTES, ...PAGES, ...OTHERS]) {
    for (const headers of [{}, { Accept: 'text/html' }, forged, wrong]) {
      const response = await fetch(board.address + path, { method, headers, redirect: 'manual' });
      answers.push([method, path, Object.keys(headers)[0], response.status]);
      await response.body?.cancel();
    }
  }

  expect(ROUTES.length).toBeGreaterThan(30);
  const isShut = (status: number) => status === 401 || status === 303 || status === 429;
  expect(answers.filter((answer) => !isShut((answer as number[])[3] ?? 0))).toEqual([]);
});

test('sends a person who comes without a session to the sign-in page, and back', async (t) => {
  const board = await boardUnderTest(t);

  const response = await fetch(`${board.address}/queue/mail?status=failed`, {
    headers: { Accept: 'text/html' },
    redirect: 'manual',
  });

  expect(response.status).toBe(303);
  expect(response.headers.get('location')).toBe(
    '/admin/login?next=%2Fadmin%2Fqueues%2Fqueue%2Fmail%3Fstatus%3Dfailed',
  );
});

test('asks for a key with the scope board', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['jobs:*', 'system:*', 'board:write']);

  const data = await board.fetchAs(key, '/api/queues');
  const page = await board.fetchAs(key, '', { headers: { Accept: 'text/html' } });

  expect(data.status).toBe(403);
  expect(await data.json()).toMatchObject({
    error: { code: 403, context: { reason: 'forbidden' } },
    message: 'This key lacks the scope board:read.',
  });
  expect(page.status).toBe(403);
  expect(await page.text()).toContain('Sign in with another key');
});

test('takes a key in each way that the API takes one', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  const ways = [basic(key), { Authorization: `Bearer ${key}` }, { 'X-DreamFactory-API-Key': key }];

  const answers = await Promise.all(ways.map((headers) => fetch(`${board.address}/api/queues`, { headers })));

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(await answers[0]?.json()).toEqual({ queues: [] });
});

test('lets a key that may look change nothing', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:read', 'jobs:read']);
  const mail = await board.queue('mail');
  await mail.add('a', { n: 1 }, { jobId: 'j_1' });
  await mail.upsertJobScheduler('nightly', { every: 3_600_000 }, { name: 'nightly', data: {} });
  const before = await board.dump();

  const answers: [string, string, number][] = [];
  for (const { method, path } of ROUTES.filter((route) => sends(route.method))) {
    const { status } = await board.fetchAs(key, path, { method, ...JSON_BODY });
    answers.push([method, path, status]);
  }

  expect(answers.length).toBeGreaterThan(20);
  expect(answers.filter(([, , status]) => status !== 403)).toEqual([]);
  expect(await board.dump()).toEqual(before);
  const listed = (await (await board.fetchAs(key, '/api/queues')).json()) as { queues: object[] };
  expect(listed.queues).toMatchObject([{ name: 'mail', readOnlyMode: true, allowRetries: false }]);
});
