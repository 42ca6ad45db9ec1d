import type { RequestListener } from 'node:http';
import { Cache, RedisDriver } from '@sluice/cache';
import { type TestContext, testRedis } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { type Network, parseNetwork } from '../../src/egress/address.ts';
import { EgressGuard } from '../../src/egress/guard.ts';
import { cacheRefresh } from '../../src/processors/cache-refresh.ts';
import { httpServer } from '../egress/servers.ts';
import { runJob } from '../run-job.ts';

async function setup(t: TestContext, answer: RequestListener) {
  const { client, keys } = await testRedis(t);
  const server = await httpServer(t, answer);
  const egress = new EgressGuard({
    allowance: { networks: [parseNetwork('127.0.0.1') as Network], hosts: [], ports: [] },
  });
  const driver = new RedisDriver({ client, keyspace: keys, service: 'shop' });
  const cache = new Cache({ name: 'shop', driver, defaultTtlMinutes: 5, maxValueBytes: 1_000 });
  t.onTestFinished(async () => {
    await egress.close();
    await driver.stop();
  });
  const job = cacheRefresh({
    egress,
    caches: { find: async (name) => (name === 'shop' ? cache : undefined) },
  });
  const url = `http://127.0.0.1:${server.port}/rates`;
  return {
    cache,
    refresh: (payload: object = {}) => runJob(job, { service: 'shop', key: 'rates', url, ...payload }),
  };
}

const RATES = '{"eur":1.0,"big":12345678901234567890,"eur":2}';

test('stores the JSON it fetches byte for byte, with the TTL it is told', async (t) => {
  const { cache, refresh } = await setup(t, (_request, response) => void response.end(RATES));

  const result = await refresh({ ttl: 60 });

  expect(result).toEqual({ service: 'shop', key: 'rates', bytes: RATES.length });
  const stored = await cache.getTimed('rates');
  expect(stored?.entry.text).toBe(RATES);
  expect(stored?.ttlSeconds).toBeGreaterThan(55);
  expect(stored?.ttlSeconds).toBeLessThanOrEqual(60);
});

test.for([
  ['absent', {}, 300],
  ['-1', { ttl: -1 }, 300],
  ['a number in a string', { ttl: '30' }, 30],
  ['0', { ttl: 0 }, null],
] as const)('keeps the value as the TTL %s says', async ([, payload, ttlSeconds], t) => {
  const { cache, refresh } = await setup(t, (_request, response) => void response.end('1'));

  await refresh(payload);

  expect((await cache.getTimed('rates'))?.ttlSeconds).toBe(ttlSeconds);
});

test('finds its service whatever the case of its name', async (t) => {
  const { refresh } = await setup(t, (_request, response) => void response.end('1'));

  expect(await refresh({ service: 'SHOP' })).toMatchObject({ service: 'shop' });
});

test.for([
  ['an answer of 404', 404, RATES, { code: 'fatal' }],
  ['a redirect', 302, RATES, { code: 'fatal' }],
  ['an answer above the limit of the service', 200, JSON.stringify('x'.repeat(1_000)), { code: 'fatal' }],
  ['an answer of 503', 503, RATES, { code: 'upstream_failed' }],
  ['an answer that is not JSON', 200, '<html>', { code: 'upstream_failed' }],
  ['an answer that is no text', 200, Buffer.from([0x22, 0xff, 0x22]), { code: 'upstream_failed' }],
] as const)('leaves the old value for %s', async ([, status, body, error], t) => {
  const { cache, refresh } = await setup(
    t,
    (_request, response) => void response.writeHead(status).end(body),
  );
  await cache.set('rates', 'old');

  await expect(refresh()).rejects.toMatchObject(error);
  expect((await cache.get('rates'))?.value).toBe('old');
});

test.for([
  ['an unknown service', { service: 'nobody' }, "there is no cache service named 'nobody'"],
  ['a key with a control character', { key: 'a\u0007' }, 'A key is UTF-8 text without control characters.'],
  ['a TTL that is none', { ttl: 1.5 }, /ttl/],
] as const)('ends at once for %s', async ([, payload, message], t) => {
  const { refresh } = await setup(t, (_request, response) => void response.end('1'));

  await expect(refresh(payload)).rejects.toMatchObject({
    code: 'fatal',
    message: expect.stringMatching(message),
  });
});
