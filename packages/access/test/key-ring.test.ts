import { createHash } from 'node:crypto';
import { Secret } from '@sluice/config';
import { describe, expect, test } from 'vitest';
import type { NewKey } from '../src/index.ts';
import { KEEP_ENDED_MS } from '../src/key-ring.ts';
import { setup } from './setup.ts';

const DAY_MS = 86_400_000;
const GIVEN = 'given-by-environment-1';

describe('a key', () => {
  test('opens as who it was made for, in the process that made it, at once', async (t) => {
    const { first } = await setup(t);

    const { id, key, record } = await first.create({ label: 'ci', scopes: ['jobs:enqueue:mail-*'] });

    expect(first.authenticate(key)).toEqual({ kind: 'key', id, label: 'ci', grants: expect.anything() });
    expect(first.authenticate(key)?.grants.allows('jobs', 'enqueue', 'mail-1')).toBe(true);
    expect(first.authenticate(key)?.grants.allows('jobs', 'enqueue', 'other')).toBe(false);
    expect(record).toEqual({
      id,
      label: 'ci',
      scopes: ['jobs:enqueue:mail-*'],
      isActive: true,
      quota: null,
      version: 1,
      origin: 'made',
      createdAt: expect.closeTo(Date.now(), -4),
      expiresAt: null,
      revokedAt: null,
      replacedBy: null,
      lastUsedAt: null,
    });
  });

  test('opens in every other process within two seconds', async (t) => {
    const { first, ring, within2s } = await setup(t);
    const other = await ring();

    const { id, key } = await first.create({ label: 'ci', scopes: ['*'] });

    await expect.poll(() => other.authenticate(key)?.id, within2s).toBe(id);
  });

  test('that is not one opens nothing', async (t) => {
    const { first } = await setup(t);
    const { key } = await first.create({ label: 'ci', scopes: ['*'] });
    const swapped = `${key.slice(0, 20)}${key[20] === 'a' ? 'b' : 'a'}${key.slice(21)}`;
    const wrong = [
      '',
      ' ',
      key.slice(0, -1),
      `${key}x`,
      ` ${key}`,
      swapped,
      key.toLowerCase(),
      `sk_${'0'.repeat(12)}_${'0'.repeat(43)}_000000`,
    ];

    // Before and after the right one has been remembered.
    for (const text of wrong) expect(first.authenticate(text)).toBeUndefined();
    expect(first.authenticate(key)).toBeDefined();
    for (const text of wrong) expect(first.authenticate(text)).toBeUndefined();
    expect(first.authenticate('x'.repeat(100_000))).toBeUndefined();
  });

  test('has an end', async (t) => {
    const { first, clock } = await setup(t);
    const { key } = await first.create({ label: 'ci', scopes: ['*'], expiresAt: Date.now() + DAY_MS });
    expect(first.authenticate(key)).toBeDefined();

    clock.offsetMs = DAY_MS;

    expect(first.authenticate(key)).toBeUndefined();
  });

  const wrong: [NewKey, RegExp][] = [
    [{ label: '', scopes: ['*'] }, /^no key was made: label: /],
    [{ label: 'a', scopes: ['cache:peek'] }, /^no key was made: scopes.0: scope 'cache:peek' needs a verb/],
    [
      { label: 'a', scopes: ['*'], expiresAt: 1 },
      /^no key was made: expiresAt: 1970-01-01T00:00:00.001Z is past$/,
    ],
  ];
  for (const [input, message] of wrong) {
    test(`is not made of ${JSON.stringify(input)}`, async (t) => {
      const { first, allKeys } = await setup(t);

      await expect(first.create(input)).rejects.toMatchObject({
        code: 'key_invalid',
        message: expect.stringMatching(message),
      });

      expect(await allKeys()).toEqual([]);
    });
  }
});

describe('what Redis holds', () => {
  test('is one hash, and no secret in it', async (t) => {
    const { first, client, allKeys, records, pepper } = await setup(t, { firstKey: new Secret(GIVEN) });
    await first.ensureFirstKey();
    const made = await first.create({ label: 'ci', scopes: ['*'] });
    const rotated = await first.rotate(made.id);
    for (const key of [GIVEN, made.key, rotated.key]) expect(first.authenticate(key)).toBeDefined();

    expect(await allKeys()).toEqual([records]);
    const held = JSON.stringify(await client.hgetall(records));
    for (const key of [GIVEN, made.key, rotated.key]) {
      expect(held).not.toContain(key);
      expect(held).not.toContain(key.split('_')[2] ?? key);
      // A digest without the pepper could be searched by whoever has the dump.
      for (const encoding of ['hex', 'base64', 'base64url'] as const) {
        expect(held).not.toContain(createHash('sha256').update(key).digest(encoding));
      }
    }
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(held).not.toContain(pepper.toString(encoding));
  });

  test('is listed without its digest, the oldest first', async (t) => {
    const { first } = await setup(t);
    const [one, two] = [
      await first.create({ label: 'one', scopes: ['*'] }),
      await first.create({ label: 'two', scopes: ['board'] }),
    ];

    const list = await first.list();

    expect(list).toEqual(
      [one?.record, two?.record].sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)),
    );
    expect(JSON.stringify(list)).not.toContain('digest');
  });

  test('that is broken opens nothing and harms no other', async (t) => {
    const { first, client, records, ring, lines } = await setup(t);
    const [good, bad, later] = [
      await first.create({ label: 'good', scopes: ['*'] }),
      await first.create({ label: 'bad', scopes: ['*'] }),
      await first.create({ label: 'later', scopes: ['*'] }),
    ];
    const text = (await client.hget(records, later.id)) ?? '';
    await client.hset(records, {
      [bad.id]: '{"id":',
      [later.id]: text.replace('["*"]', '["*","cache:teleport"]'),
      '@version': 'other',
    });

    const other = await ring();

    expect([good, bad, later].map(({ key }) => other.authenticate(key)?.label)).toEqual([
      'good',
      undefined,
      undefined,
    ]);
    expect(lines.join('')).toContain('key records not readable');
    expect(lines.join('')).toContain('key with unknown scopes opens nothing');
  });

  test('is bounded', async (t) => {
    const { first, client, records } = await setup(t);
    const fields = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`@used:${index}`, '1']));
    await client.hset(records, fields);

    await expect(first.create({ label: 'one more', scopes: ['*'] })).rejects.toMatchObject({
      code: 'too_many_keys',
    });
  });

  test('forgets keys that ended a month ago when a key is made', async (t) => {
    const { first, clock, client, records } = await setup(t);
    const [revoked, expired, kept] = [
      await first.create({ label: 'revoked', scopes: ['*'] }),
      await first.create({ label: 'expired', scopes: ['*'], expiresAt: Date.now() + 60_000 }),
      await first.create({ label: 'kept', scopes: ['*'] }),
    ];
    await first.revoke(revoked.id);
    await client.hset(records, { [`@used:${revoked.id}`]: '1' });

    clock.offsetMs = KEEP_ENDED_MS + 120_000;
    const last = await first.create({ label: 'last', scopes: ['*'] });

    expect((await first.list()).map(({ id }) => id).sort()).toEqual([kept.id, last.id].sort());
    expect(await client.hexists(records, `@used:${revoked.id}`)).toBe(0);
    expect(await client.hexists(records, expired.id)).toBe(0);
  });
});

test('a change of one key leaves what is known of the others', async (t) => {
  const { first } = await setup(t);
  const { key } = await first.create({ label: 'ci', scopes: ['cache:read:redis/*'] });
  const before = first.authenticate(key);

  await first.create({ label: 'other', scopes: ['*'] });

  expect(first.authenticate(key)).toBe(before);
});
