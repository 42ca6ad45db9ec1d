import { expect, test } from 'vitest';
import { boardUnderTest } from './setup.ts';

test('sends every answer with what keeps a page safe', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  await board.queue('mail');
  const paths = ['', '/queue/mail', '/api/queues', '/unknown', '/static/js/main.f10757109b.js'];

  for (const path of paths) {
    const response = await board.fetchAs(key, path);
    const { headers } = response;
    const text = await response.text();
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy, path).toMatch(/default-src '(?:self|none)'/);
    expect(policy, path).toContain("frame-ancestors 'none'");
    expect(policy, path).not.toMatch(/unsafe|https?:|\*/);
    expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    expect(headers.get('referrer-policy'), path).toBe('same-origin');
    expect(headers.get('x-request-id'), path).toMatch(/^[\w-]{36}$/);
    expect(headers.get('cache-control'), path).toBe(
      path.startsWith('/static') ? 'private, max-age=31536000, immutable' : 'no-store',
    );
    if (!path.startsWith('/static')) expect(text, path).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  }
});

test.for([
  '/static/',
  '/static/../index.ejs',
  '/static/%2e%2e/index.ejs',
  '/static/..%2findex.ejs',
  '/static/js/..%5c..%5cindex.ejs',
  '/static/js/lib-react.a1f503a947.js.LICENSE.txt',
  '/static//etc/passwd',
  '/static/js',
])('serves no file for %s', async (path, t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);

  expect((await board.fetchAs(key, path)).status).toBe(404);
});

test('has one address, with and without a slash at its end', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);

  const slashed = await board.fetchAs(key, '/');

  expect([slashed.status, slashed.headers.get('location')]).toEqual([308, '/admin/queues']);
  expect((await board.fetchAs(key, '', { method: 'HEAD' })).status).toBe(200);
});
