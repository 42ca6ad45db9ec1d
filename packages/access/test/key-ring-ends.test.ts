import { describe, expect, test } from 'vitest';
import { POLL_INTERVAL_MS } from '../src/key-ring.ts';
import { setup } from './setup.ts';

const DAY_MS = 86_400_000;
const _GIVEN = 'given-by-environment-1';

describe('revoking', () => {
  test('shuts a key here at once and elsewhere within two seconds', async (t) => {
    const { first, ring, within2s } = await setup(t);
    const other = await ring();
    const { id, key } = await first.create({ label: 'ci', scopes: ['*'] });
    await expect.poll(() => other.authenticate(key), within2s).toBeDefined();

    const revoking = first.revoke(id);
    const record = await revoking;

    expect(first.authenticate(key)).toBeUndefined();
    expect(record.revokedAt).toBeGreaterThanOrEqual(record.createdAt);
    await expect.poll(() => other.authenticate(key), within2s).toBeUndefined();
  });

  test('twice is once', async (t) => {
    const { first } = await setup(t);
    const { id } = await first.create({ label: 'ci', scopes: ['*'] });
    const once = await first.revoke(id);

    expect(await first.revoke(id)).toEqual(once);
  });

  test('of a key nobody has says so', async (t) => {
    const { first } = await setup(t);

    await expect(first.revoke('000000000000')).rejects.toMatchObject({
      code: 'key_unknown',
      message: 'no key has the id 000000000000',
    });
    await expect(first.revoke('@version')).rejects.toMatchObject({ code: 'key_unknown' });
  });
});

describe('rotating', () => {
  test('makes a like key and lets the old one go on for a while', async (t) => {
    const { first, clock } = await setup(t);
    const old = await first.create({
      label: 'ci',
      scopes: ['jobs:read'],
      expiresAt: Date.now() + 90 * DAY_MS,
    });

    const { id, key, record } = await first.rotate(old.id, { overlapMs: 60_000 });

    expect(record).toMatchObject({
      id,
      label: 'ci',
      scopes: ['jobs:read'],
      revokedAt: null,
      replacedBy: null,
    });
    expect((record.expiresAt ?? 0) - record.createdAt).toBe(
      (old.record.expiresAt ?? 0) - old.record.createdAt,
    );
    expect([first.authenticate(old.key)?.id, first.authenticate(key)?.id]).toEqual([old.id, id]);
    expect((await first.list()).find((each) => each.id === old.id)?.replacedBy).toBe(id);
    clock.offsetMs = 61_000;
    expect([first.authenticate(old.key)?.id, first.authenticate(key)?.id]).toEqual([undefined, id]);
  });

  test('with no overlap ends the old key now', async (t) => {
    const { first } = await setup(t);
    const old = await first.create({ label: 'ci', scopes: ['*'] });

    const { key } = await first.rotate(old.id, { overlapMs: 0 });

    await expect.poll(() => first.authenticate(old.key)).toBeUndefined();
    expect(first.authenticate(key)).toBeDefined();
  });

  test('does not lengthen the life of the old key', async (t) => {
    const { first } = await setup(t);
    const expiresAt = Date.now() + 60_000;
    const old = await first.create({ label: 'ci', scopes: ['*'], expiresAt });

    await first.rotate(old.id);

    expect((await first.list()).find(({ id }) => id === old.id)?.expiresAt).toBe(expiresAt);
  });

  test('is for keys that live', async (t) => {
    const { first } = await setup(t);
    const { id } = await first.create({ label: 'ci', scopes: ['*'] });
    await first.revoke(id);

    await expect(first.rotate(id)).rejects.toMatchObject({ code: 'key_ended' });
    await expect(first.rotate('000000000000')).rejects.toMatchObject({ code: 'key_unknown' });
    await expect(first.rotate(id, { overlapMs: -1 })).rejects.toMatchObject({ code: 'key_invalid' });
    expect(await first.list()).toHaveLength(1);
  });
});

describe('the last use', () => {
  test('of a key that is gone leaves nothing behind', async (t) => {
    const { first, client, records, allKeys } = await setup(t);
    const { id, key } = await first.create({ label: 'ci', scopes: ['*'] });
    first.authenticate(key);

    await client.hdel(records, id);
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS + 200));

    expect((await client.hkeys(records)).sort()).toEqual(['@pepper', '@version']);
    expect(await allKeys()).toEqual([records]);
  });

  test('is remembered to the minute, and troubles no other process', async (t) => {
    const { first, client, records, clock, within2s } = await setup(t);
    const { id, key } = await first.create({ label: 'ci', scopes: ['*'] });
    const version = await client.hget(records, '@version');
    const lastUsedAt = async () => (await first.list())[0]?.lastUsedAt;
    expect(await lastUsedAt()).toBeNull();

    for (let turn = 0; turn < 10; turn += 1) first.authenticate(key);
    await expect.poll(lastUsedAt, within2s).toEqual(expect.closeTo(Date.now(), -4));
    await client.hset(records, `@used:${id}`, '1');
    first.authenticate(key);
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS + 200));
    expect(await lastUsedAt()).toBe(1);

    clock.offsetMs = 61_000;
    first.authenticate(key);
    await expect.poll(lastUsedAt, within2s).not.toBe(1);
    expect(await client.hget(records, '@version')).toBe(version);
  });
});
