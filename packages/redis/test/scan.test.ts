import type { Redis } from 'ioredis';
import { describe, expect, type TestContext, test } from 'vitest';
import { scanKeys, scanPage, unlinkByPrefix, unlinkKeys } from '../src/scan.ts';
import { testRedis } from '../src/testing.ts';

async function setup(t: TestContext) {
  const { client, keys: keyspace } = await testRedis(t);
  const prefix = keyspace.root('cache');
  const fill = (...keys: string[]) =>
    client.mset(Object.fromEntries(keys.map((key) => [`${prefix}${key}`, 'x'])));
  const found = async (of: string) => {
    const keys = new Set<string>();
    for await (const page of scanKeys(client, `${prefix}${of}`))
      for (const key of page) keys.add(key.slice(prefix.length));
    return [...keys].sort();
  };
  return { client, prefix, fill, found };
}

describe('walking', () => {
  test('finds every key under a prefix and no other', async (t) => {
    const { fill, found } = await setup(t);
    const many = Array.from({ length: 3_000 }, (_, index) => `:a:${index}`);
    await fill(...many, ':b', ':aa', ':A:1');

    expect(await found(':a:')).toEqual(many.sort());
  });

  for (const glob of ['*', '?', '[ab]', '[^a]', '[a-z]', '\\', '\\*', '[', ']', '^', '-', '{a}', 'ä', '🙂']) {
    test(`takes ${glob} in a prefix for the characters it is`, async (t) => {
      const { client, prefix, fill, found } = await setup(t);
      await fill(`:${glob}:1`, ':a:1', ':b:1', ':ab:1', '::1');

      expect(await found(`:${glob}:`)).toEqual([`:${glob}:1`]);
      expect(await unlinkByPrefix(client, `${prefix}:${glob}:`)).toBe(1);
      expect(await found(':')).toEqual(['::1', ':a:1', ':ab:1', ':b:1']);
    });
  }

  test('answers nothing for a prefix nobody has', async (t) => {
    const { found } = await setup(t);

    expect(await found(':none:')).toEqual([]);
  });

  test('goes page by page, as far as it is asked to', async (t) => {
    const { client, prefix, fill } = await setup(t);
    await fill(...Array.from({ length: 100 }, (_, index) => `:p:${index}`));

    const seen = new Set<string>();
    let cursor = '0';
    do {
      const page = await scanPage(client as Redis, `${prefix}:p:`, cursor, 10);
      for (const key of page.keys) seen.add(key);
      cursor = page.cursor;
    } while (cursor !== '0');

    expect(seen.size).toBe(100);
  });
});

describe('removing', () => {
  test('takes a whole prefix, told how many there were', async (t) => {
    const { client, prefix, fill, found } = await setup(t);
    await fill(...Array.from({ length: 2_500 }, (_, index) => `:gone:${index}`), ':kept');

    expect(await unlinkByPrefix(client, `${prefix}:gone:`)).toBe(2_500);

    expect(await found(':')).toEqual([':kept']);
  });

  test('spares the keys it is asked to', async (t) => {
    const { client, prefix, fill, found } = await setup(t);
    await fill(':a:1', ':a:2', ':a:3');

    expect(await unlinkByPrefix(client, `${prefix}:a:`, (key) => key.endsWith(':2'))).toBe(2);

    expect(await found(':')).toEqual([':a:2']);
  });

  test('of no keys sends nothing', async (t) => {
    const { client } = await setup(t);

    expect(await unlinkKeys(client, [])).toBe(0);
  });

  test('counts only the keys that were there', async (t) => {
    const { client, prefix, fill } = await setup(t);
    await fill(':a');

    expect(await unlinkKeys(client, [`${prefix}:a`, `${prefix}:b`])).toBe(1);
  });
});
