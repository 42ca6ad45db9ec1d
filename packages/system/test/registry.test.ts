import { testRedis } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { systemKeys } from '../src/keys.ts';
import { type Change, Registry } from '../src/registry.ts';
import { Trail } from '../src/trail.ts';

type TestContext = Parameters<typeof testRedis>[0];

const BY = { author: { kind: 'cli' as const, id: null, label: 'ada' }, requestId: 'r-1' };

const change = (name: string, expected: number, body: unknown, kind: Change['kind'] = 'limit'): Change => ({
  kind,
  name,
  expected,
  body,
  action: 'change',
  before: undefined,
  after: body,
});

async function setup(t: TestContext) {
  const redis = await testRedis(t);
  const registry = async () => {
    const made = new Registry({ client: redis.client, keys: redis.keys });
    await made.start();
    t.onTestFinished(() => made.stop());
    return made;
  };
  return { redis, registry, one: await registry() };
}

describe('records', () => {
  test('are told as they were given, with who made and who changed them', async (t) => {
    const { one } = await setup(t);
    const body = { empty: [], nested: { a: {} }, text: '"\\ü\u2028', big: 9_007_199_254_740_991, float: 0.1 };

    const made = await one.change([change('a', 0, body)], BY);
    const changed = await one.change([change('a', 1, { b: 1 })], {
      author: { kind: 'key', id: 'k', label: 'bo' },
      requestId: null,
    });

    expect(made).toEqual({
      kind: 'done',
      records: [
        {
          kind: 'limit',
          name: 'a',
          version: 1,
          createdAt: expect.closeTo(Date.now(), -4),
          createdBy: BY.author,
          changedAt: expect.closeTo(Date.now(), -4),
          changedBy: BY.author,
          body,
        },
      ],
    });
    expect(changed).toMatchObject({
      records: [{ version: 2, createdBy: BY.author, changedBy: { label: 'bo' }, body: { b: 1 } }],
    });
    expect(one.list('limit').map(({ version }) => version)).toEqual([2]);
    expect(one.list('service')).toEqual([]);
    expect(await one.read('limit', 'a')).toEqual(one.list('limit')[0]);
  });

  test('change all together or not at all, and not over another’s change', async (t) => {
    const { one } = await setup(t);
    await one.change([change('a', 0, 1)], BY);

    const refused = await one.change([change('b', 0, 2), change('a', 0, 3), change('c', 7, 4)], BY);

    expect(refused).toEqual({ kind: 'conflict', indexes: [1, 2] });
    expect(one.list('limit').map(({ name, body }) => [name, body])).toEqual([['a', 1]]);
  });

  test('have one winner of many who change one at the same version', async (t) => {
    const { one, registry } = await setup(t);
    const all = [one, await registry(), await registry()];
    await one.change([change('a', 0, 'first')], BY);

    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, i) => (all[i % 3] as Registry).change([change('a', 1, i)], BY)),
    );

    const won = outcomes.flatMap((outcome, i) => (outcome.kind === 'done' ? [i] : []));
    expect(won).toHaveLength(1);
    expect((await one.read('limit', 'a'))?.body).toBe(won[0]);
  });

  test('never have a version twice, though one is removed and made anew', async (t) => {
    const { one } = await setup(t);
    await one.change([change('a', 0, 1)], BY);
    await one.change([change('a', 1, undefined)], BY);
    await one.change([change('a', 0, 2)], BY);

    expect((await one.read('limit', 'a'))?.version).toBe(3);
    expect(await one.change([change('a', 1, 3)], BY)).toEqual({ kind: 'conflict', indexes: [0] });
  });

  test('reach every process, which is told once a change', async (t) => {
    const { one, registry } = await setup(t);
    const other = await registry();
    let told = 0;
    other.onChange(() => {
      told += 1;
    });

    await one.change([change('a', 0, 1), change('b', 0, 2)], BY);

    await expect.poll(() => other.list('limit').length, { timeout: 2_000 }).toBe(2);
    await other.refresh();
    await other.refresh();
    expect(told).toBe(1);
  });

  test('that cannot be read are passed over, and the others stand', async (t) => {
    const { one, redis } = await setup(t);
    await one.change([change('a', 0, 1)], BY);
    const { records } = systemKeys(redis.keys);
    await redis.client.hset(records, {
      'limit:broken': '{',
      'limit:empty': '{}',
      'martian:x': '{}',
      '@stamp': 'new',
    });

    await one.refresh();

    expect(one.list('limit').map(({ name }) => name)).toEqual(['a']);
  });

  test('are bounded together, in number and in bytes, and a removal makes room', async (t) => {
    const { one } = await setup(t);
    const large = 'x'.repeat(500_000);
    const names = Array.from({ length: 40 }, (_, i) => `p${i}`);
    const outcomes: string[] = [];
    for (const name of names) outcomes.push((await one.change([change(name, 0, large)], BY)).kind);

    const fits = outcomes.filter((kind) => kind === 'done').length;
    expect(fits).toBe(Math.floor((16 * 1_048_576) / 500_002));
    expect(outcomes.slice(fits)).toEqual(Array(40 - fits).fill('full'));
    await one.change([change('p0', 1, undefined)], BY);
    expect((await one.change([change('q', 0, large)], BY)).kind).toBe('done');
    const many = Array.from({ length: 2_000 }, (_, i) => change(`m${i}`, 0, i));
    const filled = [];
    for (let from = 0; from < many.length; from += 100)
      filled.push((await one.change(many.slice(from, from + 100), BY)).kind);
    expect(filled.at(-1)).toBe('full');
  });
});

describe('the trail', () => {
  test('has an entry of each change, and none of what was refused', async (t) => {
    const { one, redis } = await setup(t);
    await one.change([change('a', 0, { n: 1 })], BY);
    await one.change([change('a', 0, { n: 2 })], BY);
    await one.change([{ ...change('a', 1, undefined), before: { n: 1 }, after: undefined }], BY);

    const { entries, next } = await new Trail({ client: redis.client, keys: redis.keys }).page();

    expect(next).toBeUndefined();
    expect(entries).toEqual([
      {
        id: expect.stringMatching(/^\d+-\d+$/),
        at: expect.closeTo(Date.now(), -4),
        author: BY.author,
        action: 'limit.change',
        target: 'limit:a',
        request_id: 'r-1',
        before: { n: 1 },
        after: null,
      },
      expect.objectContaining({ before: null, after: { n: 1 } }),
    ]);
  });

  test('tells of what is long by its length', async (t) => {
    const { one, redis } = await setup(t);
    await one.change([change('a', 0, 'x'.repeat(20_000))], BY);

    const { entries } = await new Trail({ client: redis.client, keys: redis.keys }).page();

    expect(entries[0]?.after).toEqual({ omitted_characters: 20_002 });
  });
});
