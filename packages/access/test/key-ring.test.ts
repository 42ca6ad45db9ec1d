import { createHash, randomBytes } from 'node:crypto';
import { Secret } from '@sluice/config';
import { testRedis } from '@sluice/redis/testing';
import { createLog, systemClock } from '@sluice/runtime';
import { describe, expect, type TestContext, test } from 'vitest';
import { KeyRing, type KeyRingOptions, type NewKey } from '../src/index.ts';
import { KEEP_ENDED_MS, POLL_INTERVAL_MS } from '../src/key-ring.ts';

const DAY_MS = 86_400_000;
const GIVEN = 'given-by-environment-1';

async function setup(t: TestContext, options: Partial<KeyRingOptions> = {}) {
  const redis = await testRedis(t);
  const pepper = randomBytes(32);
  const clock = { offsetMs: 0, now: () => Date.now() + clock.offsetMs, monotonicMs: systemClock.monotonicMs };
  const lines: string[] = [];
  const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
  /** One more process on the same Redis. */
  const ring = async (more: Partial<KeyRingOptions> = {}) => {
    const made = new KeyRing({
      client: redis.connect('worker'),
      keys: redis.keys,
      pepper,
      clock,
      log,
      ...options,
      ...more,
    });
    await made.start();
    t.onTestFinished(() => made.stop());
    await expect.poll(() => made.isLoaded, { timeout: 5_000 }).toBe(true);
    return made;
  };
  const records = `${redis.prefix}:system:keys`;
  const within2s = { timeout: 2_000, interval: 20 };
  return { ...redis, ring, first: await ring(), pepper, clock, lines, records, within2s };
}

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

describe('the first key', () => {
  test('is made once, with all rights, and told to whoever made it', async (t) => {
    const { first } = await setup(t);

    const made = await first.ensureFirstKey();

    expect(first.authenticate(made?.key ?? '')).toMatchObject({
      label: 'first key',
      grants: { scopes: ['*'] },
    });
    expect(await first.ensureFirstKey()).toBeUndefined();
  });

  test('is one when ten processes start together', async (t) => {
    const { ring, within2s } = await setup(t);
    const rings = await Promise.all(Array.from({ length: 10 }, () => ring()));

    const made = (await Promise.all(rings.map((each) => each.ensureFirstKey()))).filter(
      (each) => each !== undefined,
    );

    expect(made).toHaveLength(1);
    expect(await rings[0]?.list()).toHaveLength(1);
    for (const each of rings)
      await expect.poll(() => each.authenticate(made[0]?.key ?? ''), within2s).toBeDefined();
  });

  test('is not made again for whoever has revoked it', async (t) => {
    const { first } = await setup(t);
    const made = await first.ensureFirstKey();
    await first.revoke(first.authenticate(made?.key ?? '')?.id ?? '');

    expect(await first.ensureFirstKey()).toBeUndefined();
  });

  test('that is given is taken and not told', async (t) => {
    const { first } = await setup(t, { firstKey: new Secret(GIVEN) });

    expect(await first.ensureFirstKey()).toBeUndefined();
    expect(await first.ensureFirstKey()).toBeUndefined();

    expect(first.authenticate(GIVEN)).toMatchObject({ label: 'SLUICE_API_KEY', grants: { scopes: ['*'] } });
    expect(first.authenticate(`${GIVEN}x`)).toBeUndefined();
    expect(first.authenticate(GIVEN.replace('1', '2'))).toBeUndefined();
    expect(await first.list()).toMatchObject([{ origin: 'environment' }]);
  });

  test('that is given joins a key made before', async (t) => {
    const { first, ring } = await setup(t);
    const made = await first.ensureFirstKey();
    const other = await ring({ firstKey: new Secret(GIVEN) });

    await other.ensureFirstKey();

    expect([other.authenticate(made?.key ?? '')?.label, other.authenticate(GIVEN)?.label]).toEqual([
      'first key',
      'SLUICE_API_KEY',
    ]);
  });

  test('that is given anew takes the place of the one given before', async (t) => {
    const { ring, first, within2s } = await setup(t, { firstKey: new Secret(GIVEN) });
    await first.ensureFirstKey();
    const next = await ring({ firstKey: new Secret('given-by-environment-2') });

    await next.ensureFirstKey();

    expect(next.authenticate(GIVEN)).toBeUndefined();
    expect(next.authenticate('given-by-environment-2')).toBeDefined();
    await expect.poll(() => first.authenticate(GIVEN), within2s).toBeUndefined();
  });

  test('that is given stays revoked, and the start says so', async (t) => {
    const { first, ring, lines } = await setup(t, { firstKey: new Secret(GIVEN) });
    await first.ensureFirstKey();
    await first.revoke(first.authenticate(GIVEN)?.id ?? '');

    const next = await ring();
    await next.ensureFirstKey();

    expect(next.authenticate(GIVEN)).toBeUndefined();
    expect(lines.join('')).toContain('the key of SLUICE_API_KEY has been revoked and opens nothing');
    expect(lines.join('')).not.toContain(GIVEN);
  });

  test('that is given in our own format keeps its id', async (t) => {
    const { first } = await setup(t);
    const { key, id } = await first.create({ label: 'x', scopes: ['*'] });
    const elsewhere = await setup(t, { firstKey: new Secret(key) });

    await elsewhere.first.ensureFirstKey();

    expect(elsewhere.first.authenticate(key)?.id).toBe(id);
  });

  test.each(['short', 'has a blank in it, so', 'ключключключключключ'])(
    'that is given as %j is refused at once',
    async (text) => {
      expect(
        () =>
          new KeyRing({
            client: undefined as never,
            keys: undefined as never,
            pepper: randomBytes(32),
            firstKey: new Secret(text),
          }),
      ).toThrow(new TypeError('the first key must be 16 to 256 visible ASCII characters'));
    },
  );
});

describe('another master secret', () => {
  test('makes every key worthless, says so, and adds none that would last', async (t) => {
    const { first, ring, lines, records, client } = await setup(t);
    const { key } = await first.create({ label: 'ci', scopes: ['*'] });
    const before = await client.hgetall(records);

    const stranger = await ring({ pepper: randomBytes(32) });

    expect(stranger.authenticate(key)).toBeUndefined();
    expect(lines.join('')).toContain('keys were made with another master secret, none of them opens');
    await expect(stranger.create({ label: 'x', scopes: ['*'] })).rejects.toMatchObject({
      code: 'secret_changed',
    });
    await expect(stranger.ensureFirstKey()).rejects.toMatchObject({ code: 'secret_changed' });
    await expect(stranger.rotate(first.authenticate(key)?.id ?? '')).rejects.toMatchObject({
      code: 'secret_changed',
    });
    expect(await client.hgetall(records)).toEqual(before);
  });
});

test('a change of one key leaves what is known of the others', async (t) => {
  const { first } = await setup(t);
  const { key } = await first.create({ label: 'ci', scopes: ['cache:read:redis/*'] });
  const before = first.authenticate(key);

  await first.create({ label: 'other', scopes: ['*'] });

  expect(first.authenticate(key)).toBe(before);
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
