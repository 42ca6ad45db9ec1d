import { randomBytes } from 'node:crypto';
import { Env, readRoles } from '@sluice/config';
import { TEST_REDIS_URL, type TestContext, testRedis } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { Book, Registry, recordedServices } from '@sluice/system';
import { expect, test } from 'vitest';
import { Caches } from '../src/caches.ts';

const BY = { author: { kind: 'cli' as const, id: null, label: 'test' }, requestId: null };

/** A worker's caches beside the book that another process writes in. */
async function setup(t: TestContext) {
  const redis = await testRedis(t);
  const roles = readRoles(new Env({ REDIS_URL: process.env[TEST_REDIS_URL], REDIS_PREFIX: redis.prefix }));
  const secrets = { secret: randomBytes(32), roles };
  const log = createLog({ name: 'test', level: 'error' });
  const registry = new Registry({ client: redis.client, keys: redis.keys, log });
  const caches = new Caches({
    services: [],
    registry,
    secrets,
    prefix: redis.prefix,
    dataDirectory: '.',
    maxValueBytes: 1_024,
    log,
  });
  caches.start();
  await registry.start();
  t.onTestFinished(async () => {
    await registry.stop();
    await caches.stop();
  });
  const elsewhere = new Registry({ client: redis.client, keys: redis.keys, log });
  const book = new Book({ registry: elsewhere, recorded: recordedServices(secrets), configured: [] });
  const { hostname: host, port, username, password } = new URL(process.env[TEST_REDIS_URL] ?? '');
  const config = { host, port: Number(port), ...(username && { username }), ...(password && { password }) };
  return { caches, book, config };
}

test('a service made at run time is found at once, with its password, and gone when it is removed', async (t) => {
  const { caches, book, config } = await setup(t);
  expect(await caches.find('orders')).toBeUndefined();

  await book.create([{ name: 'orders', type: 'cache_redis', config }], BY);
  const cache = await caches.find('orders');
  await cache?.set('a', 1);

  expect((await cache?.get('a'))?.text).toBe('1');
  await book.update('orders', (body) => ({ ...body.definition, is_active: false, config }), BY);
  await expect.poll(() => caches.find('orders'), { timeout: 2_000 }).toBeUndefined();
  await book.update('orders', (body) => ({ ...body.definition, is_active: true, config }), BY);
  const again = await caches.find('orders');
  expect((await again?.get('a'))?.text).toBe('1');
  expect(again).not.toBe(cache);
});
