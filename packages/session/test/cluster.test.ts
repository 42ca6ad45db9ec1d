import { randomBytes } from 'node:crypto';
import { keyspace } from '@sluice/config';
import { close, connect, mastersOf, untilReady } from '@sluice/redis';
import { testCluster } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { RedisSessionDriver } from '../src/redis-driver.ts';
import { Sessions } from '../src/sessions.ts';

test('sessions live in a Cluster, each user in one slot, users on all masters', {
  timeout: 60_000,
}, async (t) => {
  const { config } = await testCluster(t);
  const client = connect({ config, profile: 'request', name: 'test' });
  t.onTestFinished(() => close(client));
  await untilReady(client, 10_000);
  const driver = new RedisSessionDriver({ client, keys: keyspace('t', { isCluster: true }) });
  const sessions = new Sessions({ driver, secret: randomBytes(32), maxPerUser: 3 });
  const users = Array.from({ length: 30 }, (_, at) => `user-${at}`);

  for (const userId of users) {
    const first = await sessions.create({ userId, idleMs: 60_000 });
    for (let login = 0; login < 3; login += 1) await sessions.create({ userId });
    const own = await sessions.create({ userId, data: { n: 1 } });
    const rotated = await sessions.rotate(own.token, { overlapMs: 0 });
    await sessions.update(rotated.token, ({ n }) => ({ n: Number(n) + 1 }));

    expect(await sessions.read(first.token)).toBeUndefined();
    expect((await sessions.read(rotated.token))?.data.text).toBe('{"n":2}');
    expect(await sessions.list(userId)).toHaveLength(3);
    expect(await sessions.revokeOthers(rotated.token)).toBe(2);
  }
  const sizes = await Promise.all(mastersOf(client).map((node) => node.dbsize()));
  const ended = await sessions.revokeEveryone();

  expect(ended).toBe(30);
  expect(Math.min(...sizes)).toBeGreaterThan(0);
  for (const userId of users) expect(await sessions.list(userId)).toEqual([]);
});
