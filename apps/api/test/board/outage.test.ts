import { untilReady } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { boardUnderTest } from './setup.ts';

test('says quickly that Redis is away, and shows the queues again when it is back', {
  timeout: 40_000,
}, async (t) => {
  const server = await testServer(t);
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const board = await boardUnderTest(t, { client });
  const key = await board.makeKey(['board:*', 'jobs:*']);
  const register = () => client.sadd(`${board.redis.prefix}:jobs:queues`, 'mail');
  await register();
  expect((await board.fetchAs(key, '/api/queues')).status).toBe(200);
  const ask = async (path: string, init: RequestInit = {}) => {
    const startedAt = performance.now();
    const response = await board.fetchAs(key, path, init);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    return response;
  };

  const calls: [string, RequestInit?][] = [
    ['/api/queues'],
    ['/api/queues/mail/j_1'],
    ['/api/job-schedulers'],
    ['/api/queues/mail/pause', { method: 'PUT' }],
    ['/api/queues/mail/retry/failed', { method: 'PUT' }],
  ];
  for (const [outage, end] of [
    ['stop', 'start'],
    ['pause', 'resume'],
  ] as const) {
    await server[outage]();
    await expect.poll(async () => (await ask('/api/queues')).status, { timeout: 5_000 }).toBe(503);
    for (const [path, init] of calls) {
      const response = await ask(path, init);
      expect([outage, path, response.status]).toEqual([outage, path, 503]);
      expect(response.headers.get('retry-after')).toBe('1');
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ error: { key: 'Redis is away', code: 503 } });
      expect(text).not.toMatch(/ECONN|127\.0\.0\.1|stack/);
    }
    const open = () => ask('', { headers: { Accept: 'text/html' } });
    await expect.poll(async () => (await open()).status, { timeout: 3_000 }).toBe(503);
    const page = await open();
    expect(page.headers.get('refresh')).toBe('5');
    expect(await page.text()).toContain('<h1>Redis is away</h1>');

    await server[end]();
    await untilReady(client, 10_000);
    await register();
    await expect.poll(async () => (await ask('/api/queues')).status, { timeout: 10_000 }).toBe(200);
  }
});

test('calls nobody unknown before the keys have been read', async (t) => {
  const keys = { isLoaded: false, authenticate: () => undefined, principal: () => undefined };
  const board = await boardUnderTest(t, { keys });
  const before = await (await boardUnderTest(t)).makeKey(['board', 'jobs:read']);

  const answers = await Promise.all([
    board.fetchAs(before, '/api/queues'),
    board.fetchAs(before, '', { headers: { Accept: 'text/html' } }),
    fetch(`${board.origin}/admin/login`, {
      method: 'POST',
      headers: { 'Sec-Fetch-Site': 'same-origin' },
      body: new URLSearchParams({ key: before }),
    }),
  ]);

  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
  expect(await answers[2]?.text()).toContain('The keys are not read yet');
});
