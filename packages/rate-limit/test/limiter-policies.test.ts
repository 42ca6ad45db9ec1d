import { describe, expect, it } from 'vitest';
import { setup } from './setup.ts';

const TEN_A_MINUTE = { name: 'writes', algorithm: 'fixed', limit: 10, period: 'minute' } as const;

describe('policies', () => {
  it('refuses nobody in shadow, and counts as if it did', async (t) => {
    const { limiter } = await setup(t, [
      TEN_A_MINUTE,
      { name: 'strict', algorithm: 'fixed', limit: 1, period: 'hour', shadow: true },
    ]);
    const asks = [
      { policy: 'writes', key: 'ada' },
      { policy: 'strict', key: 'ada' },
    ];
    await limiter.take(...asks);

    const second = await limiter.take(...asks);

    expect(second).toMatchObject({ isAllowed: true, retryAfterMs: 0 });
    expect(second.quotas.map(({ isAllowed, remaining }) => [isAllowed, remaining])).toEqual([
      [true, 8],
      [false, 0],
    ]);
    expect(second.taken.map(({ policy }) => policy)).toEqual(['writes']);
    expect(limiter.tallies.get('strict')).toEqual({
      allowed: 1,
      refused: 0,
      shadowRefused: 1,
      remembered: 0,
      away: 0,
    });
  });

  it('takes the exact override before a wildcard, the longer wildcard before the shorter, and these before the default', async (t) => {
    const { limiter } = await setup(t, [
      {
        ...TEN_A_MINUTE,
        overrides: [
          { key: '*', limit: 20 },
          { key: 'team-*', limit: 30 },
          { key: 'team-*-bot', limit: 5 },
          { key: 'team-7', limit: 40 },
          { key: 'root', limit: 'unlimited' },
          { key: 'banned', limit: 0 },
        ],
      },
    ]);
    const limitOf = async (key: string) => (await limiter.take({ policy: 'writes', key })).quotas[0]?.limit;

    expect(await limitOf('ada')).toBe(20);
    expect(await limitOf('team-1')).toBe(30);
    expect(await limitOf('team-1-bot')).toBe(5);
    expect(await limitOf('team-7')).toBe(40);
    expect(await limitOf('root')).toBeUndefined();
    expect(await limiter.take({ policy: 'writes', key: 'root', cost: 1_000 })).toMatchObject({
      isAllowed: true,
      quotas: [],
    });
    expect(await limiter.take({ policy: 'writes', key: 'banned' })).toMatchObject({
      isAllowed: false,
      retryAfterMs: null,
    });
  });

  it('changes at run time and goes on counting where nothing but the limit changed', async (t) => {
    const { limiter } = await setup(t, [TEN_A_MINUTE]);
    await limiter.take({ policy: 'writes', key: 'ada', cost: 10 });
    await limiter.take({ policy: 'writes', key: 'ada' });

    limiter.replacePolicies([{ ...TEN_A_MINUTE, limit: 12 }]);

    expect((await limiter.take({ policy: 'writes', key: 'ada', cost: 3 })).isAllowed).toBe(false);
    expect((await limiter.take({ policy: 'writes', key: 'ada', cost: 2 })).isAllowed).toBe(true);
  });

  it('leaves a policy that is written as before the same one, and changes nothing for a list with a fault', async (t) => {
    const other = { ...TEN_A_MINUTE, name: 'other' };
    const { limiter } = await setup(t, [TEN_A_MINUTE, other]);
    await limiter.take({ policy: 'writes', key: 'ada' });
    const before = limiter.policies.get('writes');

    limiter.replacePolicies([{ ...other, limit: 3 }, { ...TEN_A_MINUTE }]);

    expect(limiter.policies.get('writes')).toBe(before);
    expect(limiter.tallies.get('writes')?.allowed).toBe(1);
    expect(() => limiter.replacePolicies([TEN_A_MINUTE, TEN_A_MINUTE])).toThrow(/two policies/);
    expect([...limiter.policies.keys()]).toEqual(['other', 'writes']);
    limiter.replacePolicies([]);
    expect([...limiter.policies.keys()]).toEqual([]);
  });

  it('tallies decisions by policy', async (t) => {
    const { limiter } = await setup(t, [{ name: 'one', algorithm: 'fixed', limit: 1, period: 'minute' }]);
    for (let i = 0; i < 4; i += 1) await limiter.take({ policy: 'one', key: 'ada' });

    expect(limiter.tallies.get('one')).toEqual({
      allowed: 1,
      refused: 3,
      shadowRefused: 0,
      remembered: 2,
      away: 0,
    });
  });
});

describe('keys in Redis', () => {
  it('all expire, a little after they have ceased to matter', async (t) => {
    const { limiter, client, allKeys } = await setup(t, [
      TEN_A_MINUTE,
      { name: 'sliding', algorithm: 'sliding', limit: 10, period: 'minute' },
      { name: 'gcra', algorithm: 'gcra', limit: 10, period: 'minute' },
      { name: 'at-once', algorithm: 'concurrency', limit: 10, lease: '30s' },
    ]);
    const names = ['writes', 'sliding', 'gcra', 'at-once'];
    await limiter.take(...names.map((policy) => ({ policy, key: ['ada', 'POST /x'], cost: 10 })));
    await limiter.take(...names.map((policy) => ({ policy, key: 'bob' })));
    for (const policy of names) await limiter.block({ policy, key: 'carl', durationMs: 90_000 });

    const keys = await allKeys();
    const ttls = await Promise.all(keys.map((key) => client.pttl(key)));

    expect(keys).toHaveLength(12);
    const shortestMs = { ada: 30_000, bob: 5_000, carl: 90_000 };
    for (const [i, key] of keys.entries()) {
      const subject = /\{(\w+)\}/.exec(key)?.[1] as keyof typeof shortestMs;
      expect(ttls[i], key).toBeGreaterThan(shortestMs[subject]);
      expect(ttls[i], key).toBeLessThanOrEqual(90_000 + 61_000);
    }
  });

  it('keep their TTL or get a longer one as they are charged, and never none', async (t) => {
    const { limiter, client, time, allKeys } = await setup(t, [
      TEN_A_MINUTE,
      { name: 'sliding', algorithm: 'sliding', limit: 1_000, period: 'minute' },
      { name: 'gcra', algorithm: 'gcra', limit: 60, period: 'minute' },
    ]);
    for (let i = 0; i < 30; i += 1) {
      await limiter.take(...['writes', 'sliding', 'gcra'].map((policy) => ({ policy, key: 'ada' })));
      await limiter.take(...['sliding', 'gcra'].map((policy) => ({ policy, key: 'ada' })));
      time.advance(i < 15 ? 0 : i * 100);

      const { quotas } = await limiter.peek(
        ...['writes', 'sliding', 'gcra'].map((policy) => ({ policy, key: 'ada' })),
      );
      const keys = await allKeys();
      const ttls = await Promise.all(keys.map((key) => client.pttl(key)));
      for (const [at, key] of keys.entries()) {
        const needed = quotas.find(({ policy }) => key.includes(`:${policy}:`))?.resetAfterMs ?? 0;
        expect(ttls[at], key).toBeGreaterThanOrEqual(needed);
      }
    }
  });

  it('share a hash tag for one subject, whatever the policy', async (t) => {
    const { limiter, allKeys, prefix } = await setup(t, [
      TEN_A_MINUTE,
      { name: 'per-route', algorithm: 'gcra', limit: 7, period: '10s' },
    ]);
    await limiter.take({ policy: 'writes', key: 'k_1' }, { policy: 'per-route', key: ['k_1', 'POST /x'] });

    expect(await allKeys()).toEqual([
      `${prefix}:limit:{k_1}:per-route:g10000-7:k_1|POST /x`,
      `${prefix}:limit:{k_1}:writes:f60000-0`,
    ]);
  });
});
