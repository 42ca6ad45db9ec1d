import { createLog } from '@sluice/runtime';
import { expect, test } from 'vitest';
import { describeSessions } from './driver-suite.ts';
import { onRedis } from './setup.ts';
import { describeUsers } from './users-suite.ts';

describeSessions('Redis', onRedis);
describeUsers('Redis', onRedis);

test('all keys of a user share one hash slot, and each expires', async (t) => {
  const { sessions, redis } = await onRedis(t);
  await sessions.create({ userId: 'ada' });
  const own = await sessions.create({ userId: 'ada' });
  await sessions.rotate(own.token);
  await sessions.revokeOthers(own.token);
  await sessions.revokeAll('bob');
  await sessions.create({ userId: 'eve' });

  const keys = await redis.allKeys();

  const tags = new Map<string, number>();
  for (const key of keys) {
    const tag = /\{([\w-]{16})\}/.exec(key)?.[1] ?? 'none';
    tags.set(tag, (tags.get(tag) ?? 0) + 1);
    expect(await redis.client.pttl(key), key).toBeGreaterThan(0);
  }
  expect([...tags.values()].sort()).toEqual([1, 2, 2]);
});

test('the record of a user outlives each session, also one whose timeout grows with use', async (t) => {
  const { sessions, redis } = await onRedis(t, { touchEveryMs: 0, idleMs: 5_000 });
  const { token, session } = await sessions.create({ userId: 'ada' });

  await expect
    .poll(async () => (await sessions.read(token))?.seenAtMs, { interval: 5, timeout: 10_000 })
    .toBeGreaterThan(session.seenAtMs);

  const keys = await redis.allKeys();
  const asked = redis.client.multi();
  for (const key of keys) asked.pttl(key);
  const ttls = ((await asked.exec()) ?? []).map(([, ttl]) => Number(ttl));
  const at = keys.findIndex((key) => key.endsWith(':user'));
  expect(keys).toHaveLength(2);
  expect(ttls[at]).toBeGreaterThanOrEqual(Number(ttls[1 - at]) - 1);
});

test('the last logout leaves no key behind', async (t) => {
  const { sessions, redis } = await onRedis(t);
  const first = await sessions.create({ userId: 'ada' });
  const second = await sessions.create({ userId: 'ada' });
  const visitor = await sessions.create({ userId: null });

  for (const { token } of [first, second, visitor]) await sessions.end(token);

  expect(await redis.allKeys()).toEqual([]);
});

test('revoking and evicting sessions frees their keys', async (t) => {
  const { sessions, redis } = await onRedis(t, { maxPerUser: 2 });
  for (let login = 0; login < 5; login += 1) await sessions.create({ userId: 'ada' });
  const kept = await redis.allKeys();

  await sessions.revokeAll('ada');

  expect(kept.filter((key) => key.includes(':s:'))).toHaveLength(2);
  expect((await redis.allKeys()).map((key) => key.split('}')[1])).toEqual([':user']);
});

test('reading, listing and revoking what is not there writes nothing', async (t) => {
  const { sessions, redis } = await onRedis(t);
  const { token } = await sessions.create({ userId: 'ada' });
  await sessions.end(token);

  await sessions.read(token);
  await sessions.end(token);
  await sessions.list('ada');
  await sessions.generation('ada');
  await sessions.revoke('ada', 'A'.repeat(22));
  await expect(sessions.update(token, (data) => data)).rejects.toMatchObject({
    code: 'session_token_invalid',
  });

  expect(await redis.allKeys()).toEqual([]);
});

test('nothing in Redis holds a token, its secret part or a user id in a key', async (t) => {
  const { sessions, redis, secret } = await onRedis(t);
  const { token } = await sessions.create({ userId: 'ada-lovelace' });
  const { token: next } = await sessions.rotate(token);

  let dump = '';
  for (const key of await redis.allKeys())
    dump += `${key}\n${JSON.stringify(await redis.client.hgetall(key))}\n`;

  for (const issued of [token, next]) {
    expect(dump).not.toContain(issued);
    expect(dump).not.toContain(issued.slice(38));
    expect(dump).not.toContain(Buffer.from(issued, 'base64url').toString('hex').slice(56));
  }
  expect(dump).not.toContain(secret.toString('base64url'));
  expect((await redis.allKeys()).join()).not.toContain('ada');
});

test('a session whose user record was lost is dead, and a new login does not wake it', async (t) => {
  const { sessions, redis } = await onRedis(t);
  const { token } = await sessions.create({ userId: 'ada' });
  const userKey = (await redis.allKeys()).find((key) => key.endsWith(':user')) ?? '';
  const listing = await redis.client.hgetall(userKey);

  await redis.client.del(userKey);
  const whileLost = await sessions.read(token);
  await sessions.create({ userId: 'ada' });
  const field = Object.keys(listing).find((name) => name.startsWith('s:')) ?? '';
  await redis.client.hset(userKey, field, listing[field] ?? '');

  expect(whileLost).toBeUndefined();
  expect(await sessions.read(token)).toBeUndefined();
});

test('a session copied back into Redis after its end stays dead', async (t) => {
  const { sessions, redis } = await onRedis(t);
  await sessions.create({ userId: 'ada' });
  const { token, session } = await sessions.create({ userId: 'ada' });
  const key = (await redis.allKeys()).find((each) => each.endsWith(`:s:${session.id}`)) ?? '';
  const dump = await redis.client.dumpBuffer(key);

  await sessions.end(token);
  await redis.admin().restore(key, 0, dump);

  expect(await sessions.read(token)).toBeUndefined();
});

test('what happens is logged by session id, never by token or user', async (t) => {
  const lines: string[] = [];
  const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
  const { sessions } = await onRedis(t, { log, overlapMs: 0 });

  const first = await sessions.create({ userId: 'ada-lovelace', data: { secret: 'tea' } });
  const second = await sessions.rotate(first.token);
  await sessions.read(first.token);
  await sessions.end(second.token);

  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(told.map(({ level, msg, sessionId }) => [level, msg, sessionId])).toEqual([
    ['info', 'session created', first.session.id],
    ['info', 'session rotated', first.session.id],
    ['warn', 'replaced session token shown again', first.session.id],
    ['info', 'session ended', first.session.id],
  ]);
  for (const secret of [first.token.slice(38), second.token.slice(38), 'ada-lovelace', 'tea']) {
    expect(lines.join()).not.toContain(secret);
  }
});
