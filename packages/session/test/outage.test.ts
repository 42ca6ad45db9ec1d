import { randomBytes } from 'node:crypto';
import { redisFault, untilReady } from '@sluice/redis';
import { type TestContext, testRedis, testServer } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { RedisSessionDriver } from '../src/redis-driver.ts';
import { Sessions } from '../src/sessions.ts';

test('while Redis is gone no token is valid and none is made, and every call says so at once', async (t) => {
  const { sessions, server, token } = await setup(t);

  await server.kill();
  const outcomes = await Promise.allSettled([
    sessions.read(token),
    sessions.read(token, { touch: false }),
    sessions.save(token, { data: {}, version: null }),
    sessions.update(token, (data) => data),
    sessions.rotate(token),
    sessions.end(token),
    sessions.create({ userId: 'ada' }),
    sessions.list('ada'),
    sessions.generation('ada'),
    sessions.revoke('ada', 'A'.repeat(22)),
    sessions.revokeAll('ada'),
    sessions.revokeOthers(token),
  ]);

  for (const outcome of outcomes) {
    expect(outcome.status).toBe('rejected');
    expect(redisFault((outcome as PromiseRejectedResult).reason)?.kind).toBe('unavailable');
  }
});

test('while Redis does not answer, a read ends within two seconds and finds nothing valid', async (t) => {
  const { sessions, server, token } = await setup(t);

  server.pause();
  const startedAt = performance.now();
  const read = await sessions.read(token).catch((error: unknown) => error);
  const tookMs = performance.now() - startedAt;
  server.resume();

  expect(redisFault(read)).toEqual({ kind: 'unavailable', outcome: 'unknown' });
  expect(tookMs).toBeLessThan(2_000);
});

test('a session outlives an outage of Redis when Redis kept it', async (t) => {
  const { sessions, server, token } = await setup(t, ['appendonly yes', 'appendfsync always']);

  await server.kill();
  await server.start();

  await expect
    .poll(() => sessions.read(token).catch(() => undefined), { timeout: 10_000 })
    .toMatchObject({ userId: 'ada' });
});

async function setup(t: TestContext, settings?: string[]) {
  const server = await testServer(t, settings ? { settings } : {});
  const { keys } = await testRedis(t);
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const sessions = new Sessions({
    driver: new RedisSessionDriver({ client, keys }),
    secret: randomBytes(32),
  });
  const { token } = await sessions.create({ userId: 'ada' });
  return { sessions, server, token };
}
