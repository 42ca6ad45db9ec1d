import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, type TestContext, test } from 'vitest';
import { defineScript } from '../src/script.ts';
import { testRedis } from '../src/testing.ts';

const ECHO = `-- Tells what it was given.
-- KEYS[1] first      any
-- KEYS[2] second     any
-- ARGV[1] cost       any
-- ARGV[2] limit      any
return { KEYS[1], KEYS[2], ARGV[1], ARGV[2] }`;

const COUNT = `-- Counts.
-- KEYS[1] counter    integer, no TTL
-- ARGV[1] by         integer
return redis.call('INCRBY', KEYS[1], ARGV[1])`;

function file(t: TestContext, lua: string, name = 'script.lua'): URL {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-lua-'));
  t.onTestFinished(() => rm(directory, { recursive: true }));
  writeFileSync(join(directory, name), lua);
  return pathToFileURL(join(directory, name));
}

async function setup(t: TestContext) {
  const { client, keys } = await testRedis(t);
  return { client, prefix: keys.root('cache') };
}

describe('a declaration', () => {
  test('puts keys and arguments in the order of the header, whatever order they are given in', async (t) => {
    const { client, prefix } = await setup(t);
    const echo = defineScript({ source: file(t, ECHO), keys: ['first', 'second'], args: ['cost', 'limit'] });

    const reply = await echo.run(client, {
      keys: { second: `${prefix}:2`, first: `${prefix}:1` },
      args: { limit: 7, cost: 'one' },
    });

    expect(reply).toEqual([`${prefix}:1`, `${prefix}:2`, 'one', '7']);
  });

  test('puts further keys and arguments behind the named ones', async (t) => {
    const { client, prefix } = await setup(t);
    const lua =
      '-- KEYS[1] one\n-- KEYS[...] more\n-- ARGV[1] first\n-- ARGV[...] rest\nreturn { #KEYS, KEYS[3], #ARGV, ARGV[3] }';
    const script = defineScript({
      source: file(t, lua),
      keys: ['one'],
      args: ['first'],
      moreKeys: true,
      moreArgs: true,
    });

    const reply = await script.run(client, {
      keys: { one: `${prefix}:1` },
      args: { first: 1 },
      moreKeys: [`${prefix}:2`, `${prefix}:3`],
      moreArgs: [2, 3],
    });

    expect(reply).toEqual([3, `${prefix}:3`, 3, '3']);
  });

  test('carries bytes as they are', async (t) => {
    const { client, prefix } = await setup(t);
    const lua = "-- KEYS[1] key\n-- ARGV[1] bytes\nredis.call('SET', KEYS[1], ARGV[1])";
    const script = defineScript({ source: file(t, lua), keys: ['key'], args: ['bytes'] });
    const bytes = Buffer.from([0, 255, 128, 13, 10]);

    await script.run(client, { keys: { key: `${prefix}:k` }, args: { bytes } });

    expect(await client.getBuffer(`${prefix}:k`)).toEqual(bytes);
  });

  test('may be made of parts, whose headers do not count', async (t) => {
    const { client } = await testRedis(t);
    const part = file(t, '-- ARGV[9] nonsense\nlocal function double(n) return n * 2 end', 'part.lua');
    const script = defineScript({
      source: file(t, '-- ARGV[1] n\nreturn double(tonumber(ARGV[1]))'),
      parts: [part],
      keys: [],
      args: ['n'],
    });

    expect(await script.run(client, { keys: {}, args: { n: 21 } })).toBe(42);
  });

  const wrong: [string, { keys: string[]; args: string[]; moreKeys?: boolean; moreArgs?: boolean }][] = [
    ['a key the header does not name', { keys: ['first', 'second', 'third'], args: ['cost', 'limit'] }],
    ['a key less than the header names', { keys: ['first'], args: ['cost', 'limit'] }],
    ['keys in another order', { keys: ['second', 'first'], args: ['cost', 'limit'] }],
    ['arguments in another order', { keys: ['first', 'second'], args: ['limit', 'cost'] }],
    ['an argument by another name', { keys: ['first', 'second'], args: ['cost', 'max'] }],
    [
      'further keys the header does not tell of',
      { keys: ['first', 'second'], args: ['cost', 'limit'], moreKeys: true },
    ],
    [
      'further arguments the header does not tell of',
      { keys: ['first', 'second'], args: ['cost', 'limit'], moreArgs: true },
    ],
  ];
  for (const [what, declaration] of wrong) {
    test(`is refused at once for ${what}`, (t) => {
      const source = file(t, ECHO);

      expect(() => defineScript({ source, ...declaration })).toThrow(TypeError);
    });
  }
});

describe('a Redis that has forgotten its scripts', () => {
  test('is told them again', async (t) => {
    const { client, prefix } = await setup(t);
    const count = defineScript({ source: file(t, COUNT), keys: ['counter'], args: ['by'] });
    const input = { keys: { counter: `${prefix}:n` }, args: { by: 1 } };
    await count.run(client, input);

    await client.script('FLUSH');
    const replies = await Promise.all([
      count.run(client, input),
      count.run(client, input),
      count.run(client, input),
    ]);

    expect(replies.map(Number).sort()).toEqual([2, 3, 4]);
  });

  test('is told them again in the middle of a pipeline, each run once', async (t) => {
    const { client, prefix } = await setup(t);
    const count = defineScript({ source: file(t, COUNT), keys: ['counter'], args: ['by'] });
    const input = { keys: { counter: `${prefix}:n` }, args: { by: 1 } };
    await count.run(client, input);

    await client.script('FLUSH');
    const pipeline = client.pipeline();
    count.queue(client, pipeline, input);
    pipeline.set(`${prefix}:other`, 'x');
    count.queue(client, pipeline, input);
    const replies = await pipeline.exec();

    expect(replies?.map(([error]) => error)).toEqual([null, null, null]);
    expect(replies?.[1]).toEqual([null, 'OK']);
    expect(await client.get(`${prefix}:n`)).toBe('3');
  });
});

test('a pipeline made before the script was first used runs it', async (t) => {
  const { client, prefix } = await setup(t);
  const count = defineScript({ source: file(t, COUNT), keys: ['counter'], args: ['by'] });

  const pipeline = client.pipeline();
  count.queue(client, pipeline, { keys: { counter: `${prefix}:n` }, args: { by: 5 } });

  expect(await pipeline.exec()).toEqual([[null, 5]]);
});

test('two files of one name are two scripts', async (t) => {
  const { client } = await testRedis(t);
  const [one, two] = [1, 2].map((n) => defineScript({ source: file(t, `return ${n}`), keys: [], args: [] }));
  const nothing = { keys: {}, args: {} };

  expect([
    await one?.run(client, nothing),
    await two?.run(client, nothing),
    await one?.run(client, nothing),
  ]).toEqual([1, 2, 1]);
});
