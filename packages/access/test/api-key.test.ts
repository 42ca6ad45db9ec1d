import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { foreignKeyId, isForeignKey, keyDigest, mintApiKey, ownKeyId, pepperMark } from '../src/api-key.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

describe('a key of our own', () => {
  test('is sk, an id, a secret and a checksum over them', () => {
    const { id, key } = mintApiKey();

    expect(key).toMatch(/^sk_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    const [, inside, secret, checksum] = key.split('_');
    expect(inside).toBe(id);
    const decoded = [...(checksum ?? '')].reduce(
      (sum, character) => sum * 62 + ALPHABET.indexOf(character),
      0,
    );
    expect(decoded).toBe(crc32(`sk_${id}_${secret}`));
  });

  test('tells its id', () => {
    const { id, key } = mintApiKey();

    expect(ownKeyId(key)).toBe(id);
    expect(
      [
        '',
        'sk_',
        key.slice(1),
        `${key}x`,
        ` ${key}`,
        `${key}\n`,
        key.toUpperCase().replace('SK_', 'xx_'),
      ].map(ownKeyId),
    ).toEqual(Array.from({ length: 7 }, () => undefined));
  });

  test('is never the same, and uses every character alike', () => {
    const keys = Array.from({ length: 2_000 }, () => mintApiKey().key);
    const counts = new Map<string, number>();
    for (const key of keys)
      for (const character of key.slice(16, 59)) counts.set(character, (counts.get(character) ?? 0) + 1);

    expect(new Set(keys).size).toBe(keys.length);
    // 86,000 characters over 62: 1,387 each, with a standard deviation of 37.
    expect([...counts.keys()].sort().join('')).toBe(ALPHABET);
    for (const count of counts.values()) expect(Math.abs(count - 1_387)).toBeLessThan(260);
  });
});

describe('a key of another format', () => {
  test('is what a header can carry, and long', () => {
    expect(['x'.repeat(16), 'a-b_c.d~e+f/g=h!i', 'x'.repeat(256)].every(isForeignKey)).toBe(true);
    expect(
      [
        '',
        'x'.repeat(15),
        'x'.repeat(257),
        'with a blank in it',
        'with\na line in it',
        'ключключключключ',
      ].some(isForeignKey),
    ).toBe(false);
  });

  test('has the same id under the same pepper and another under another', () => {
    const [pepper, other] = [randomBytes(32), randomBytes(32)];

    expect(foreignKeyId(pepper, 'some-long-foreign-key')).toMatch(/^[0-9A-Za-z]{12}$/);
    expect(foreignKeyId(pepper, 'some-long-foreign-key')).toBe(foreignKeyId(pepper, 'some-long-foreign-key'));
    expect(foreignKeyId(other, 'some-long-foreign-key')).not.toBe(
      foreignKeyId(pepper, 'some-long-foreign-key'),
    );
  });
});

test('digest, id and mark of a pepper say nothing of one another', () => {
  const pepper = randomBytes(32);
  const key = 'some-long-foreign-key';

  expect(keyDigest(pepper, key)).toHaveLength(32);
  expect(keyDigest(pepper, key)).toEqual(keyDigest(pepper, Buffer.from(key)));
  expect(pepperMark(pepper)).not.toBe(pepperMark(randomBytes(32)));
  expect(keyDigest(pepper, key).toString('base64url')).not.toContain(foreignKeyId(pepper, key));
});
