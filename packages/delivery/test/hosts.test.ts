import { type TestContext, testRedis } from '@sluice/redis/testing';
import { describe, expect, it, vi } from 'vitest';
import { type Contact, Hosts } from '../src/hosts.ts';
import { deliveryKeys } from '../src/keys.ts';

const HOST = 'example.com:443';

async function setup(t: TestContext) {
  const redis = await testRedis(t);
  const hosts = new Hosts({ client: redis.client, keys: redis.keys });
  let leases = 0;
  const take = async (limit = 100, leaseMs = 60_000) => {
    leases += 1;
    const lease = `l${leases}`;
    return { lease, place: await hosts.take(HOST, { lease, limit, leaseMs }) };
  };
  const keys = deliveryKeys(redis.keys).host(HOST);
  return {
    redis,
    keys,
    hosts,
    take,
    leave: (lease: string, contact: Contact, tookMs = 10) => hosts.leave(HOST, { lease, contact, tookMs }),
    /** As many requests in a row that end so. */
    async contacts(count: number, contact: Contact) {
      for (let n = 0; n < count; n += 1) {
        const { lease } = await take();
        await hosts.leave(HOST, { lease, contact, tookMs: 10 });
      }
    },
    /** As if the time of the breaker were over. */
    letTimePass: () => redis.client.hset(keys.state, 'open_until_ms', 1),
    openForMs: async () => Number(await redis.client.hget(keys.state, 'open_until_ms')) - Date.now(),
  };
}

describe('the places of a host', () => {
  it('are five for one that is new, and never more than the limit', async (t) => {
    const { take } = await setup(t);
    const granted = async (limit: number) => {
      let count = 0;
      while ((await take(limit)).place.kind === 'taken') count += 1;
      return count;
    };

    expect(await granted(3)).toBe(3);
    expect(await granted(100)).toBe(2);
  });

  it('grow with answers and shrink without', async (t) => {
    const { take, leave, redis, keys } = await setup(t);
    for (let n = 0; n < 10; n += 1) await leave((await take()).lease, 'answered');
    expect(await redis.client.hget(keys.state, 'trust')).toBe('10');

    await leave((await take()).lease, 'silent');

    expect(await redis.client.hget(keys.state, 'trust')).toBe('5');
  });

  it('are free again when given back, and when their lease has ended', async (t) => {
    const { take, leave } = await setup(t);
    const { lease } = await take(1);
    expect((await take(1)).place.kind).toBe('busy');

    await leave(lease, 'unknown');
    expect((await take(1, 100)).place.kind).toBe('taken');
    expect((await take(1)).place.kind).toBe('busy');

    await vi.waitFor(async () => expect((await take(1)).place.kind).toBe('taken'));
  });

  it('are asked for again at different times by those who found none', async (t) => {
    const { take } = await setup(t);
    await take(1, 60_000);

    const places = await Promise.all(Array.from({ length: 150 }, () => take(1)));

    const waits = places.map(({ place }) => (place.kind === 'busy' ? place.waitMs : -1));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
    expect(new Set(waits).size).toBeGreaterThan(30);
  });

  it('are counted for each host by itself, whatever its name', async (t) => {
    const { hosts, take, redis } = await setup(t);
    await take(1);

    for (const host of ['example.com:8443', 'other.example', 'a{b}c', '[::1]:80'])
      expect(await hosts.take(host, { lease: 'l', limit: 1, leaseMs: 1_000 })).toEqual({ kind: 'taken' });
    for (const key of await redis.allKeys()) expect(key).toMatch(/:delivery:\{[\w-]{22}\}:(places|state)$/);
  });

  it('leave nothing behind that does not end', async (t) => {
    const { take, leave, contacts, redis } = await setup(t);
    await leave((await take()).lease, 'answered');
    await take(1);
    await take(1);
    await contacts(6, 'silent');

    for (const key of await redis.allKeys()) expect(await redis.client.pttl(key)).toBeGreaterThan(0);
  });
});

describe('the circuit breaker', () => {
  it('opens after five requests in a row without an answer, for 5 s', async (t) => {
    const { take, contacts, openForMs } = await setup(t);

    await contacts(4, 'silent');
    expect((await take()).place.kind).toBe('taken');
    await contacts(1, 'silent');

    const { place } = await take();
    expect(place).toMatchObject({ kind: 'down', downForMs: expect.any(Number) });
    expect(place.kind === 'down' && place.waitMs).toBeGreaterThan(4_000);
    expect(await openForMs()).toBeLessThanOrEqual(5_000);
  });

  it('stays closed when an answer comes between', async (t) => {
    const { take, contacts } = await setup(t);

    for (let n = 0; n < 5; n += 1) {
      await contacts(4, 'silent');
      await contacts(1, 'answered');
    }

    expect((await take()).place.kind).toBe('taken');
  });

  it('lets one request through when its time is over, and closes at its answer', async (t) => {
    const { take, leave, contacts, letTimePass } = await setup(t);
    await contacts(5, 'silent');
    await letTimePass();

    const probe = await take();
    const others = [await take(), await take()];
    await leave(probe.lease, 'answered');

    expect(probe.place.kind).toBe('taken');
    expect(others.map(({ place }) => place.kind)).toEqual(['down', 'down']);
    expect((await take()).place.kind).toBe('taken');
  });

  it('opens for twice as long each time that one fails, a minute at most', async (t) => {
    const { contacts, letTimePass, openForMs } = await setup(t);
    await contacts(5, 'silent');
    const opened: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      await letTimePass();
      await contacts(1, 'silent');
      opened.push(Math.round((await openForMs()) / 1_000));
    }

    expect(opened).toEqual([10, 20, 40, 60, 60]);
  });

  it('lets another one through when the one before was given up or its worker died', async (t) => {
    const { take, leave, contacts, letTimePass } = await setup(t);
    await contacts(5, 'silent');
    await letTimePass();
    const givenUp = await take();
    await leave(givenUp.lease, 'unknown');
    const dead = await take(100, 80);

    expect([givenUp.place.kind, dead.place.kind]).toEqual(['taken', 'taken']);
    expect((await take()).place.kind).toBe('down');
    await vi.waitFor(async () => expect((await take()).place.kind).toBe('taken'));
  });

  it('does not open for longer because requests from before it opened fail as well', async (t) => {
    const { take, leave, contacts, openForMs } = await setup(t);
    const before = await Promise.all([take(), take()]);
    await contacts(5, 'silent');

    for (const { lease } of before) await leave(lease, 'silent');

    expect(await openForMs()).toBeLessThanOrEqual(5_000);
  });
});
