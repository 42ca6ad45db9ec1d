import { randomBytes } from 'node:crypto';
import { Secret } from '@sluice/config';
import { describe, expect, test } from 'vitest';
import { KeyRing } from '../src/index.ts';
import { setup } from './setup.ts';

const _DAY_MS = 86_400_000;
const GIVEN = 'given-by-environment-1';

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
