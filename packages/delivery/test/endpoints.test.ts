import { randomBytes } from 'node:crypto';
import { type TestContext, testRedis } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { Deliveries } from '../src/deliveries.ts';
import { Endpoints } from '../src/endpoints.ts';
import { deliveryKeys } from '../src/keys.ts';
import { Records } from '../src/records.ts';

async function setup(t: TestContext) {
  const redis = await testRedis(t);
  const master = randomBytes(32);
  const open = (secret: Buffer = master) =>
    new Endpoints({ client: redis.client, keys: redis.keys, master: secret });
  return { redis, master, open, endpoints: open(), key: deliveryKeys(redis.keys).endpoints };
}

describe('an endpoint', () => {
  it('loses none of many changes at the same time', async (t) => {
    const { open, endpoints } = await setup(t);
    await endpoints.put('a', {});

    const rotated = await Promise.allSettled(
      [open(), open(), open(), open()].map((each) => each.rotate('a')),
    );

    const secrets = rotated.map((each) => (each.status === 'fulfilled' ? each.value.secret : undefined));
    const signing = (await endpoints.forSending('a'))?.secrets ?? [];
    expect(signing).toHaveLength(5);
    expect(signing).toEqual(expect.arrayContaining(secrets));
  });

  it('is made once by those who use the default at the same time', async (t) => {
    const { open } = await setup(t);

    await Promise.all(Array.from({ length: 8 }, () => open().plans(['default'])));

    const [one, other] = await Promise.all([open().forSending('default'), open().forSending('default')]);
    expect(one?.secrets).toHaveLength(1);
    expect(other?.secrets).toEqual(one?.secrets);
  });

  it('stops to sign with a secret when its overlap is over', async (t) => {
    const { endpoints, redis, key } = await setup(t);
    const { secret: old } = await endpoints.put('a', {});
    const { secret } = await endpoints.rotate('a', { overlap: 60 });
    expect((await endpoints.forSending('a'))?.secrets).toEqual([secret, old]);

    const record = JSON.parse((await redis.client.hget(key, 'a')) ?? '') as {
      secrets: { expiresAt: number }[];
    };
    (record.secrets[1] as { expiresAt: number }).expiresAt = Date.now() - 1;
    await redis.client.hset(key, 'a', JSON.stringify(record));

    expect((await endpoints.forSending('a'))?.secrets).toEqual([secret]);
  });

  it('does not lengthen an overlap that was promised to be short', async (t) => {
    const { endpoints } = await setup(t);
    await endpoints.put('a', {});
    await endpoints.rotate('a', { overlap: 1 });

    const { endpoint } = await endpoints.rotate('a', { overlap: 3_600 });

    const ends = endpoint.secrets.map(({ expiresAt }) => expiresAt);
    expect(ends[0]).toBeNull();
    expect((ends[2] ?? 0) - Date.now()).toBeLessThanOrEqual(1_000);
  });

  it('opens with its own master secret and under its own name only', async (t) => {
    const { endpoints, open, redis, key } = await setup(t);
    await endpoints.put('a', { url: 'https://a.example/', headers: { authorization: 'x' } });
    await redis.client.hset(key, 'b', (await redis.client.hget(key, 'a')) ?? '');

    await expect(open(randomBytes(32)).forSending('a')).rejects.toThrow(TypeError);
    await expect(endpoints.forSending('b')).rejects.toThrow(TypeError);
    expect((await endpoints.forSending('a'))?.headers).toEqual({ authorization: 'x' });
  });

  it('is not marked as gone for a URL that it has no longer', async (t) => {
    const { endpoints } = await setup(t);
    await endpoints.put('a', { url: 'https://new.example/' });

    await endpoints.markGone('a', 'https://old.example/');
    await endpoints.markGone('nobody', 'https://old.example/');

    expect((await endpoints.get('a')).goneAt).toBeNull();
    await expect(endpoints.get('nobody')).rejects.toMatchObject({ code: 'endpoint_not_found' });
  });

  it('is listed by name, a page at a time', async (t) => {
    const { endpoints } = await setup(t);
    for (const name of ['c', 'a', 'b']) await endpoints.put(name, {});

    const [first, rest] = [
      await endpoints.list({ limit: 2 }),
      await endpoints.list({ limit: 2, after: 'b' }),
    ];

    expect([first, rest].map((page) => page.map(({ name }) => name))).toEqual([['a', 'b'], ['c']]);
  });
});

it('records are as many as may be, and no more', async (t) => {
  const { client, keys } = await testRedis(t);
  const key = deliveryKeys(keys).targets;
  const records = new Records<number>({ client, key, max: 2, fullCode: 'targets_full' });
  await records.change('a', () => 1);
  await records.change('b', () => 1);

  await expect(records.change('c', () => 1)).rejects.toMatchObject({ code: 'targets_full' });
  await expect(records.change('a', () => 2)).resolves.toBe(2);
  await records.change('b', () => undefined);
  await expect(records.change('c', () => 3)).resolves.toBe(3);
});

describe('the proof of a delivery', () => {
  it('holds for what this installation made, through Redis and back, and for nothing else', async (t) => {
    const { endpoints, master } = await setup(t);
    const deliveries = new Deliveries({ endpoints, master });
    const [job] = await deliveries.jobs([
      { url: 'https://a.example/', body: { 'é\u2028': ['\\', 1e21] }, headers: { '1': 'x', a: 'é' } },
    ]);
    if (!job || job instanceof Error) throw new Error('no job', { cause: job });
    const stored = JSON.parse(JSON.stringify(job.data)) as object;

    expect(deliveries.isProven(stored)).toBe(true);
    for (const change of [{ url: 'https://b.example/' }, { body: '' }, { endpoint: null }, { more: 1 }])
      expect(deliveries.isProven({ ...stored, ...change })).toBe(false);
    expect(new Deliveries({ endpoints, master: randomBytes(32) }).isProven(stored)).toBe(false);
    expect(deliveries.isProven({ proof: 'x' })).toBe(false);
  });
});
