import { keyspace } from '@sluice/config';
import { Limiter, limitRequests } from '@sluice/rate-limit';
import { testRedis } from '@sluice/redis/testing';
import { type Context, Hono } from 'hono';
import { expect, it } from 'vitest';

it('limits a service on Hono', async (t) => {
  const { client, prefix } = await testRedis(t);
  const limiter = new Limiter({
    redis: client,
    keys: keyspace(prefix, { isCluster: false }),
    policies: [
      { name: 'per-user', algorithm: 'fixed', limit: 3, period: 'minute', by: ['user'] },
      { name: 'at-once', algorithm: 'concurrency', limit: 1, by: ['user'] },
    ],
    deadlineMs: 10_000,
  });
  const app = new Hono();
  app.use(
    limitRequests({
      limiter,
      factsOf: (c: Context) => ({ user: c.req.header('x-user') ?? 'nobody' }),
      cost: (c) => Number(c.req.query('cost') ?? 1),
    }),
  );
  app.get('/', (c) => c.json({ ok: true }));
  app.get('/fails', () => {
    throw new Error('no luck');
  });
  app.onError((_error, c) => c.text('failed', 500));
  const get = (path: string, user: string) => app.request(path, { headers: { 'x-user': user } });

  const first = await get('/', 'ada');
  const failed = await get('/fails', 'ada');
  const third = await get('/', 'ada');
  const refused = await get('/', 'ada');
  const other = await get('/?cost=2', 'bob');

  expect([first, failed, third, refused, other].map(({ status }) => status)).toEqual([
    200, 500, 200, 429, 200,
  ]);
  expect(first.headers.get('ratelimit')).toBe('"per-user";r=2;t=60, "at-once";r=0;t=30');
  expect(failed.headers.get('x-ratelimit-limit')).toBe('1');
  expect(refused.headers.get('retry-after')).toBe('60');
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
  expect(await refused.json()).toEqual({
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
    'violated-policies': ['per-user'],
  });
  expect(other.headers.get('ratelimit')).toContain('"per-user";r=1');
});
