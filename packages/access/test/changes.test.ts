import { randomBytes } from 'node:crypto';
import { type TestContext, testRedis } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { Grants, KeyRing } from '../src/index.ts';

const BY = { author: { name: 'ada' }, requestId: 'r-1' };

async function setup(t: TestContext) {
  const { client, keys, prefix } = await testRedis(t);
  const trailKey = `${prefix}:system:{${prefix}:system:keys}:trail`;
  const trail = { key: trailKey, maxEntries: 1_000 };
  const ring = new KeyRing({ client, keys, pepper: randomBytes(32), trail });
  await ring.start();
  t.onTestFinished(() => ring.stop());
  const told = async () =>
    (await client.xrange(trailKey, '-', '+')).map(([, fields]) => {
      const pairs = fields.flatMap((field, i) => (i % 2 === 0 ? [[field, fields[i + 1]]] : []));
      return Object.fromEntries(pairs) as Record<string, string>;
    });
  return { client, keys, prefix, ring, told };
}

describe('a change of a key', () => {
  test('sets what it names, ends with null, and is refused at another version', async (t) => {
    const { ring } = await setup(t);
    const { id, key } = await ring.create({ label: 'a', scopes: ['cache:read'], quota: { backlog: 1 } });

    const first = await ring.update(id, { label: 'b', quota: { payloadBytes: 9 } });
    const second = await ring.update(id, { quota: null, isActive: false }, BY, { version: 2 });

    expect(first).toMatchObject({
      label: 'b',
      scopes: ['cache:read'],
      quota: { payloadBytes: 9 },
      version: 2,
    });
    expect(second).toMatchObject({ label: 'b', quota: null, isActive: false, version: 3 });
    expect(ring.authenticate(key)).toBeUndefined();
    await expect(ring.update(id, { label: 'c' }, BY, { version: 2 })).rejects.toMatchObject({
      code: 'key_changed',
    });
    await expect(ring.rotate(id)).rejects.toMatchObject({ code: 'key_ended' });
    await ring.update(id, { isActive: true });
    expect(ring.authenticate(key)).toMatchObject({ id, label: 'b' });
    expect(await ring.get(id)).toMatchObject({ label: 'b', version: 4 });
  });

  test('brings other scopes and another quota to a key that has opened before', async (t) => {
    const { ring } = await setup(t);
    const { id, key } = await ring.create({ label: 'a', scopes: ['cache:read'] });
    ring.authenticate(key);

    await ring.update(id, { scopes: ['jobs:read'], quota: { backlog: 7 } });

    const principal = ring.authenticate(key);
    expect(principal?.grants.allows('cache', 'read')).toBe(false);
    expect(principal?.grants.allows('jobs', 'read')).toBe(true);
    expect(principal?.quota).toEqual({ backlog: 7 });
    expect(ring.quotas().map((each) => each.id)).toEqual([id]);
  });

  test('of a key that is unknown or revoked is none', async (t) => {
    const { ring } = await setup(t);
    const { id } = await ring.create({ label: 'a', scopes: ['cache:read'] });
    await ring.revoke(id);

    await expect(ring.update('000000000000', { label: 'b' })).rejects.toMatchObject({ code: 'key_unknown' });
    await expect(ring.get('000000000000')).rejects.toMatchObject({ code: 'key_unknown' });
    await expect(ring.update(id, { isActive: true })).rejects.toMatchObject({ code: 'key_ended' });
  });

  test('reads keys stored by versions that knew neither quota nor suspension', async (t) => {
    const { ring, client, prefix } = await setup(t);
    const { id, key } = await ring.create({ label: 'a', scopes: ['cache:read'] });
    const records = `${prefix}:system:keys`;
    const { quota, isActive, version, ...old } = JSON.parse((await client.hget(records, id)) as string);
    await client.hset(records, { [id]: JSON.stringify(old), '@version': 'old' });

    expect(await ring.get(id)).toMatchObject({ quota: null, isActive: true, version: 1 });
    expect(ring.authenticate(key)).toBeDefined();
    expect(await ring.update(id, { label: 'b' }, BY, { version: 1 })).toMatchObject({ version: 2 });
  });
});

describe('the last key of all scopes', () => {
  test.for<[string, (ring: KeyRing, id: string) => Promise<unknown>]>([
    ['revoked', (ring, id) => ring.revoke(id, BY, { keepsAdmin: true })],
    ['suspended', (ring, id) => ring.update(id, { isActive: false }, BY, { keepsAdmin: true })],
    ['narrowed', (ring, id) => ring.update(id, { scopes: ['cache:*'] }, BY, { keepsAdmin: true })],
    [
      'made to end',
      (ring, id) => ring.update(id, { expiresAt: 4_000_000_000_000 }, BY, { keepsAdmin: true }),
    ],
  ])('is not %s, unless another is left', async ([, end], t) => {
    const { ring, told } = await setup(t);
    const { id } = await ring.create({ label: 'admin', scopes: ['*'] });
    const suspended = await ring.create({ label: 'suspended', scopes: ['*'] });
    await ring.update(suspended.id, { isActive: false });
    const ended = await ring.create({ label: 'ended', scopes: ['*'] });
    await ring.revoke(ended.id);
    const count = (await told()).length;

    await expect(end(ring, id)).rejects.toMatchObject({ code: 'last_admin_key' });

    expect((await told()).length).toBe(count);
    await ring.create({ label: 'other', scopes: ['board', '*'] });
    await end(ring, id);
  });
});

test('the trail has an entry of every change, in the same step, and never a digest', async (t) => {
  const { ring, told } = await setup(t);
  await ring.ensureFirstKey();
  const { id } = await ring.create({ label: 'a', scopes: ['cache:read'] }, BY);
  await ring.update(id, { label: 'b' }, BY);
  const rotated = await ring.rotate(id, { overlapMs: 0 }, BY);
  await ring.revoke(rotated.id, BY);
  await ring.revoke(rotated.id, BY);

  const entries = await told();

  expect(entries.map(({ action, target }) => [action, target])).toEqual([
    ['key.create', expect.any(String)],
    ['key.create', `key:${id}`],
    ['key.update', `key:${id}`],
    ['key.create', `key:${rotated.id}`],
    ['key.rotate', `key:${id}`],
    ['key.revoke', `key:${rotated.id}`],
  ]);
  expect(entries[2]).toMatchObject({ author: JSON.stringify(BY.author), request: 'r-1' });
  expect(JSON.parse(entries[2]?.before ?? '')).toMatchObject({ label: 'a', scopes: ['cache:read'] });
  expect(JSON.parse(entries[2]?.after ?? '')).toMatchObject({ label: 'b', quota: null });
  expect(JSON.stringify(entries)).not.toContain('digest');
});

describe('scopes cover', () => {
  test.for<[string[], string, boolean]>([
    [['*'], '*', true],
    [['*'], 'nonsense of a later version', true],
    [['system:*', 'cache:*'], '*', false],
    [['cache:*'], 'cache:*', true],
    [['cache:*'], 'cache:read:redis/a*', true],
    [['cache:read', 'cache:write', 'cache:delete', 'cache:flush'], 'cache:*', true],
    [['cache:read', 'cache:write', 'cache:delete'], 'cache:*', false],
    [['cache:read'], 'cache:read:*', true],
    [['cache:read:*'], 'cache:read', true],
    [['cache:read:redis/a*'], 'cache:read', false],
    [['cache:read:redis/a*'], 'cache:read:redis/ab*', true],
    [['cache:read:redis/a*'], 'cache:read:redis/a*', true],
    [['cache:read:redis/ab*'], 'cache:read:redis/a*', false],
    [['cache:read:redis/a*'], 'cache:read:redis/abc', true],
    [['cache:read:redis/a'], 'cache:read:redis/a', true],
    [['cache:read:redis/a'], 'cache:read:redis/a*', false],
    [['cache:read:redis/a'], 'cache:*:redis/a', false],
    [['jobs:enqueue:mail'], 'jobs:enqueue:sms', false],
    [['board'], 'board:read', true],
    [['board'], 'board:*', false],
    [['cache:*'], 'nonsense', false],
    [[], 'board', false],
  ])('%s: %s is %s', ([held, scope, isCovered]) => {
    expect(new Grants(held).covers(scope)).toBe(isCovered);
  });
});
