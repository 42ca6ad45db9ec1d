import { untilReady } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { startApi } from '../harness.ts';

test('says quickly and plainly that Redis is away, and comes back', { timeout: 40_000 }, async (t) => {
  const server = await testServer(t);
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const api = await startApi(t, { REDIS_URL: server.url });
  const entered = await fetch(`${api.url}/admin/login`, {
    method: 'POST',
    headers: { 'Sec-Fetch-Site': 'same-origin' },
    body: new URLSearchParams({ key: api.key }),
    redirect: 'manual',
  });
  const cookie = entered.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
  const look = async (path: string) => {
    const startedAt = performance.now();
    const response = await fetch(`${api.url}/admin${path}`, {
      headers: { Cookie: cookie, Accept: 'text/html' },
    });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    return { status: response.status, refresh: response.headers.get('refresh'), text: await response.text() };
  };
  expect((await look('')).status).toBe(200);

  server.pause();
  for (const path of ['', '/jobs', '/jobs/mail', '/limits', '/keys']) {
    const { status, refresh, text } = await look(path);
    expect([path, status, refresh]).toEqual([path, 503, '5']);
    expect(text).toContain('<h1>Redis is away</h1>');
    expect(text).not.toMatch(/ECONN|127\.0\.0\.1|stack/);
  }
  expect((await look('/login')).status).toBe(200);
  server.resume();

  await expect.poll(async () => (await look('')).status, { timeout: 10_000 }).toBe(200);
});
