import { expect, test } from 'vitest';
import { basic, boardUnderTest } from './setup.ts';

test.for<[string, Record<string, string>]>([
  ['no header of a browser', {}],
  ['another site', { 'Sec-Fetch-Site': 'cross-site' }],
  ['a sister site', { 'Sec-Fetch-Site': 'same-site' }],
  ['the address bar', { 'Sec-Fetch-Site': 'none' }],
  ['a foreign origin', { Origin: 'https://evil.example' }],
  ['a foreign port', { Origin: 'http://127.0.0.1:1' }],
  ['the null origin', { Origin: 'null' }],
  ['a broken origin', { Origin: 'http://' }],
  ['a foreign site under our origin', { 'Sec-Fetch-Site': 'cross-site', Origin: 'ORIGIN' }],
])('changes nothing for a request from %s', async ([, headers], t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:*', 'jobs:*']);
  await board.queue('mail');
  const origin = headers.Origin?.replace('ORIGIN', board.origin);
  const bodies: [string, string][] = [
    ['text/plain', '{"name":"x"}'],
    ['application/x-www-form-urlencoded', 'name=x'],
    [
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="name"\r\n\r\nx\r\n--b--\r\n',
    ],
    ['application/json', '{"name":"x"}'],
  ];
  const statuses: number[] = [];

  for (const path of [
    '/api/queues/mail/add',
    '/api/queues/mail/pause',
    '/api/queues/pause',
    '/../login',
    '/../logout',
  ]) {
    for (const [type, body] of bodies) {
      const response = await fetch(board.address + path, {
        method: path.endsWith('pause') ? 'PUT' : 'POST',
        headers: { ...basic(key), ...headers, ...(origin && { Origin: origin }), 'Content-Type': type },
        body,
        redirect: 'manual',
      });
      statuses.push(response.status);
      expect(response.headers.get('set-cookie')).toBeNull();
      await response.body?.cancel();
    }
  }

  expect(new Set(statuses)).toEqual(new Set([403]));
  expect(await (await board.queue('mail')).isPaused()).toBe(false);
});

test.for<[string, Record<string, string>]>([
  ['a modern browser', { 'Sec-Fetch-Site': 'same-origin' }],
  ['a browser over plain http', { Origin: 'ORIGIN' }],
])('acts for a request from a page of its own in %s', async ([, headers], t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:*', 'jobs:*']);
  const mail = await board.queue('mail');
  const origin = headers.Origin?.replace('ORIGIN', board.origin);

  const response = await fetch(`${board.address}/api/queues/mail/pause`, {
    method: 'PUT',
    headers: { ...basic(key), ...headers, ...(origin && { Origin: origin }) },
  });

  expect(response.status).toBe(200);
  expect(await mail.isPaused()).toBe(true);
  const told = board.lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'board action');
  expect(told).toMatchObject({ action: 'PUT /api/queues/:queueName/pause', queue: 'mail', status: 200 });
});

test('reads JSON alone, and little of it', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:*', 'jobs:*']);
  await board.queue('mail');
  const send = async (type: string, body: string) =>
    (
      await board.fetchAs(key, '/api/queues/mail/concurrency', {
        method: 'PUT',
        headers: { 'Content-Type': type },
        body,
      })
    ).status;

  expect(await send('application/json', '{"concurrency":3}')).toBe(200);
  expect(await send('application/json', '{"concurrency":-3}')).toBe(400);
  expect(await send('text/plain', '{"concurrency":3}')).toBe(415);
  expect(await send('application/json', '{"concurrency":')).toBe(400);
  expect(await send('application/json', `{"concurrency":3,"x":"${'x'.repeat(20_000)}"}`)).toBe(413);
});
