import { describe, expect, it } from 'vitest';
import { setup } from './setup.ts';

const TEN_A_MINUTE = { name: 'writes', algorithm: 'fixed', limit: 10, period: 'minute' } as const;

describe('take', () => {
  it('charges the cost and tells what is left', async (t) => {
    const { limiter, time } = await setup(t, [TEN_A_MINUTE]);

    const decision = await limiter.take({ policy: 'writes', key: 'ada', cost: 3 });

    expect(decision).toEqual({
      isAllowed: true,
      refusal: null,
      retryAfterMs: 0,
      atMs: time.nowMs,
      quotas: [
        {
          policy: 'writes',
          isAllowed: true,
          isShadow: false,
          decidedBy: 'redis',
          limit: 10,
          capacity: 10,
          periodMs: 60_000,
          remaining: 7,
          retryAfterMs: 0,
          nextAfterMs: 60_000,
          resetAfterMs: 60_000,
        },
      ],
      taken: [{ policy: 'writes', key: 'ada', cost: 3, takenAtMs: time.nowMs }],
    });
  });

  it('refuses what does not fit and charges nothing for it', async (t) => {
    const { limiter, time } = await setup(t, [TEN_A_MINUTE]);
    await limiter.take({ policy: 'writes', key: 'ada', cost: 8 });
    time.advance(20_000);

    const refused = await limiter.take({ policy: 'writes', key: 'ada', cost: 3 });
    const smaller = await limiter.take({ policy: 'writes', key: 'ada', cost: 2 });

    expect(refused).toMatchObject({
      isAllowed: false,
      refusal: 'over_limit',
      retryAfterMs: 40_000,
      taken: [],
    });
    expect(refused.quotas[0]?.remaining).toBe(2);
    expect(smaller.isAllowed).toBe(true);
  });

  it('charges every policy or none', async (t) => {
    const { limiter } = await setup(t, [
      TEN_A_MINUTE,
      { name: 'daily', algorithm: 'gcra', limit: 1, period: 'day' },
      { name: 'at-once', algorithm: 'concurrency', limit: 5 },
      { name: 'hourly', algorithm: 'sliding', limit: 50, period: 'hour' },
    ]);
    const asks = ['writes', 'daily', 'at-once', 'hourly'].map((policy) => ({ policy, key: 'ada' }));
    await limiter.take(...asks);

    const refused = await limiter.take(...asks);
    const { quotas } = await limiter.peek(...asks);

    expect(refused.isAllowed).toBe(false);
    expect(refused.quotas.map(({ policy, isAllowed }) => [policy, isAllowed])).toEqual([
      ['writes', true],
      ['daily', false],
      ['at-once', true],
      ['hourly', true],
    ]);
    expect(quotas.map(({ remaining }) => remaining)).toEqual([9, 0, 4, 49]);
  });

  it('tells the longest wait of those that refuse', async (t) => {
    const { limiter } = await setup(t, [
      { name: 'minute', algorithm: 'fixed', limit: 1, period: 'minute' },
      { name: 'hour', algorithm: 'fixed', limit: 1, period: 'hour' },
    ]);
    const asks = [
      { policy: 'minute', key: 'ada' },
      { policy: 'hour', key: 'ada' },
    ];
    await limiter.take(...asks);

    const asked = await limiter.take(...asks);
    const remembered = await limiter.take(...asks);

    expect(asked.retryAfterMs).toBe(3_600_000);
    expect(remembered.retryAfterMs).toBe(3_600_000);
  });

  it('has no wait to tell for a cost above the limit', async (t) => {
    const { limiter } = await setup(t, [TEN_A_MINUTE]);

    const decision = await limiter.take({ policy: 'writes', key: 'ada', cost: 11 });

    expect(decision).toMatchObject({ isAllowed: false, refusal: 'over_limit', retryAfterMs: null });
  });

  it('keeps keys apart, also those made of parts and of signs that Redis reads', async (t) => {
    const { limiter, allKeys } = await setup(t, [
      { name: 'one', algorithm: 'fixed', limit: 1, period: 'minute' },
    ]);
    const long = 'x'.repeat(300);
    const keys = [
      ...['a', 'a|b', 'a%7Cb', '}', '{', '{}', 'a}b', long, `${long}y`],
      ...[
        ['a', 'b'],
        ['a', 'b', ''],
        ['a', 'b|c'],
        ['a', 'b', 'c'],
        ['a|b', 'c'],
        [long, 'a'],
        [long, 'b'],
      ],
    ];
    for (const key of keys) {
      expect((await limiter.take({ policy: 'one', key })).isAllowed, String(key)).toBe(true);
      // From now on memory refuses this key, and no other.
      expect((await limiter.take({ policy: 'one', key })).isAllowed, String(key)).toBe(false);
    }

    expect(await allKeys()).toHaveLength(keys.length);
    expect(Math.max(...(await allKeys()).map((key) => key.length))).toBeLessThan(200);
  });

  it('rejects an unknown policy, a faulty cost, and one policy and key asked twice', async (t) => {
    const { limiter, allKeys } = await setup(t, [TEN_A_MINUTE]);
    const ask = { policy: 'writes', key: 'ada' };

    await expect(limiter.take({ policy: 'nothing', key: 'ada' })).rejects.toMatchObject({
      code: 'policy_unknown',
    });
    for (const cost of [-1, 0.5, Number.NaN, 1_000_001]) {
      await expect(limiter.take({ ...ask, cost })).rejects.toThrow(TypeError);
    }
    await expect(limiter.take(ask, ask)).rejects.toThrow('asked twice');
    expect(await allKeys()).toEqual([]);
  });

  it.for(['fixed', 'sliding', 'gcra', 'concurrency'] as const)(
    'admits nothing more of %s when the clock of Redis goes back',
    async (algorithm, t) => {
      const period = algorithm === 'concurrency' ? {} : { period: 'minute' };
      const { another, time } = await setup(t, [{ name: 'p', algorithm, limit: 10, ...period }]);
      const ask = { policy: 'p', key: 'ada' };
      const take = async (cost: number) => (await another().take({ ...ask, cost })).isAllowed;
      await take(8);
      time.advance(-20_000);

      const behind = [await take(2), await take(1)];
      time.advance(20_000);
      const again = await take(1);
      time.advance(algorithm === 'concurrency' ? 30_000 : 63_000);

      expect(behind).toEqual([true, false]);
      expect(again).toBe(false);
      expect(await take(10)).toBe(true);
    },
  );

  it('goes by the clock of Redis', async (t) => {
    const { limiter, client } = await setup(t, [TEN_A_MINUTE], { serverNowMs: undefined });
    const [seconds] = await client.time();

    const { atMs } = await limiter.take({ policy: 'writes', key: 'ada' });

    expect(Math.abs(atMs - Number(seconds) * 1_000)).toBeLessThan(5_000);
  });
});

describe('peek', () => {
  it('says what a take would say, and charges nothing', async (t) => {
    const { limiter, allKeys } = await setup(t, [TEN_A_MINUTE]);

    const before = await limiter.peek({ policy: 'writes', key: 'ada', cost: 10 });
    const over = await limiter.peek({ policy: 'writes', key: 'ada', cost: 11 });

    expect(before).toMatchObject({ isAllowed: true, taken: [] });
    expect(before.quotas[0]?.remaining).toBe(10);
    expect(over.isAllowed).toBe(false);
    expect(await allKeys()).toEqual([]);
  });
});

describe('refund', () => {
  it('gives back what a decision took', async (t) => {
    const { limiter } = await setup(t, [TEN_A_MINUTE]);
    const { taken } = await limiter.take({ policy: 'writes', key: 'ada', cost: 10 });

    await limiter.refund(...taken);

    expect((await limiter.take({ policy: 'writes', key: 'ada', cost: 10 })).isAllowed).toBe(true);
  });

  it('gives nothing back to a window that began after the charge', async (t) => {
    const { limiter, time } = await setup(t, [TEN_A_MINUTE]);
    const { taken } = await limiter.take({ policy: 'writes', key: 'ada', cost: 5 });
    time.advance(60_000);
    await limiter.take({ policy: 'writes', key: 'ada', cost: 10 });

    await limiter.refund(...taken);

    expect((await limiter.take({ policy: 'writes', key: 'ada' })).isAllowed).toBe(false);
  });

  it.for(['fixed', 'sliding', 'gcra', 'concurrency'] as const)(
    'makes of %s no more than its limit, in the same turn too',
    async (algorithm, t) => {
      const period = algorithm === 'concurrency' ? {} : { period: 'minute' };
      const { limiter } = await setup(t, [{ name: 'p', algorithm, limit: 3, ...period }]);
      const ask = { policy: 'p', key: 'ada', cost: 3 };
      await limiter.take({ ...ask, cost: 1 });

      const [, first, second] = await Promise.all([
        limiter.refund(ask),
        limiter.take(ask),
        limiter.take({ ...ask, cost: 1 }),
      ]);

      // A lease is given back by its id alone.
      expect([first.isAllowed, second.isAllowed]).toEqual(
        algorithm === 'concurrency' ? [false, true] : [true, false],
      );
    },
  );

  it('lets a refused key pass at once, though this process remembered the refusal', async (t) => {
    const { limiter } = await setup(t, [TEN_A_MINUTE]);
    const ask = { policy: 'writes', key: 'ada', cost: 10 };
    await limiter.take(ask);
    await limiter.take(ask);

    await limiter.refund(ask);

    expect((await limiter.take(ask)).isAllowed).toBe(true);
  });
});

describe('penalize, block and reset', () => {
  it('charges a penalty below nothing left', async (t) => {
    const { limiter, time } = await setup(t, [
      { name: 'logins', algorithm: 'gcra', limit: 6, period: 'minute' },
    ]);
    await limiter.penalize({ policy: 'logins', key: 'ada', cost: 8 });

    const decision = await limiter.take({ policy: 'logins', key: 'ada' });
    time.advance(30_000);
    const later = await limiter.take({ policy: 'logins', key: 'ada' });

    expect(decision).toMatchObject({ isAllowed: false, retryAfterMs: 30_000 });
    expect(later.isAllowed).toBe(true);
  });

  it('has no penalty for a policy of leases', async (t) => {
    const { limiter } = await setup(t, [{ name: 'at-once', algorithm: 'concurrency', limit: 2 }]);

    await expect(limiter.penalize({ policy: 'at-once', key: 'ada' })).rejects.toThrow(TypeError);
  });

  it.for(['fixed', 'sliding', 'gcra', 'concurrency'] as const)(
    'blocks a key of %s for the time it is told',
    async (algorithm, t) => {
      const period = algorithm === 'concurrency' ? {} : { period: 'minute' };
      const { limiter, time, another } = await setup(t, [{ name: 'p', algorithm, limit: 10, ...period }]);
      const ask = { policy: 'p', key: 'ada' };
      const held = await limiter.take(ask);
      await limiter.block({ ...ask, durationMs: 300_000 });

      const blocked = await another().take(ask);
      time.advance(299_999);
      const stillBlocked = await another().peek(ask);
      time.advance(1);
      const free = await another().take(ask);

      expect(held.isAllowed).toBe(true);
      expect(blocked).toMatchObject({ isAllowed: false, retryAfterMs: 300_000 });
      expect(blocked.quotas[0]?.remaining).toBe(0);
      expect(stillBlocked).toMatchObject({ isAllowed: false, retryAfterMs: 1 });
      expect(free.isAllowed).toBe(true);
    },
  );

  it.for(['fixed', 'sliding', 'gcra', 'concurrency'] as const)(
    'blocks a key of %s that nothing was charged to',
    async (algorithm, t) => {
      const period = algorithm === 'concurrency' ? {} : { period: 'minute' };
      const { limiter, time } = await setup(t, [{ name: 'p', algorithm, limit: 10, ...period }]);
      await limiter.block({ policy: 'p', key: 'ada', durationMs: 1_000 });

      const blocked = await limiter.take({ policy: 'p', key: 'ada' });
      time.advance(1_000);
      const free = await limiter.take({ policy: 'p', key: 'ada', cost: 10 });

      expect([blocked.isAllowed, free.isAllowed]).toEqual([false, true]);
    },
  );

  it('keeps counting under a block', async (t) => {
    const { limiter, time } = await setup(t, [{ name: 'p', algorithm: 'fixed', limit: 10, period: 'hour' }]);
    await limiter.take({ policy: 'p', key: 'ada', cost: 9 });
    await limiter.block({ policy: 'p', key: 'ada', durationMs: 1_000 });
    time.advance(1_000);

    const { quotas } = await limiter.take({ policy: 'p', key: 'ada' });

    expect(quotas[0]?.remaining).toBe(0);
  });

  it('blocks by itself after a refusal when the policy says so', async (t) => {
    const { limiter, time, another } = await setup(t, [{ ...TEN_A_MINUTE, block: '15m' }]);
    const ask = { policy: 'writes', key: 'ada', cost: 6 };
    await limiter.take(ask);

    const refused = await limiter.take(ask);
    time.advance(60_000);
    const afterTheWindow = await another().take({ ...ask, cost: 1 });
    time.advance(14 * 60_000);
    const afterTheBlock = await another().take(ask);

    expect(refused).toMatchObject({ isAllowed: false, retryAfterMs: 900_000 });
    expect(afterTheWindow).toMatchObject({ isAllowed: false, retryAfterMs: 840_000 });
    expect(afterTheBlock.isAllowed).toBe(true);
  });

  it.for(['fixed', 'sliding', 'gcra', 'concurrency'] as const)(
    'begins %s anew for those who come after the reset in its turn',
    async (algorithm, t) => {
      const period = algorithm === 'concurrency' ? {} : { period: 'minute' };
      const { limiter, another } = await setup(t, [{ name: 'p', algorithm, limit: 3, ...period }]);
      const ask = { policy: 'p', key: 'ada', cost: 2 };
      await limiter.take(ask);

      const [, , after] = await Promise.all([
        limiter.take({ ...ask, cost: 1 }),
        limiter.reset(ask),
        limiter.take(ask),
      ]);

      expect(after).toMatchObject({ isAllowed: true, quotas: [{ remaining: 1 }] });
      expect((await another().peek(ask)).quotas[0]?.remaining).toBe(1);
    },
  );

  it.for(['fixed', 'sliding', 'gcra', 'concurrency'] as const)(
    'forgets charges and blocks of %s on reset',
    async (algorithm, t) => {
      const period = algorithm === 'concurrency' ? {} : { period: 'minute' };
      const { limiter, allKeys } = await setup(t, [{ name: 'p', algorithm, limit: 2, ...period }]);
      const ask = { policy: 'p', key: 'ada', cost: 2 };
      await limiter.take(ask);
      await limiter.block({ policy: 'p', key: 'ada', durationMs: 60_000 });
      await limiter.take(ask);

      await limiter.reset({ policy: 'p', key: 'ada' });

      expect(await allKeys()).toEqual([]);
      expect((await limiter.take(ask)).isAllowed).toBe(true);
    },
  );
});

describe('leases', () => {
  const AT_ONCE = { name: 'at-once', algorithm: 'concurrency', limit: 2, lease: '10s' } as const;
  const ask = { policy: 'at-once', key: 'ada' };

  it('holds as many as the limit until one is given up', async (t) => {
    const { limiter } = await setup(t, [AT_ONCE]);
    const first = await limiter.take(ask);
    await limiter.take(ask);

    const third = await limiter.take(ask);
    await limiter.release(...first.taken);
    const fourth = await limiter.take(ask);

    expect(first.taken[0]?.lease).toMatch(/^[\w-]{16}$/);
    expect(third).toMatchObject({ isAllowed: false, retryAfterMs: 10_000 });
    expect(fourth.isAllowed).toBe(true);
  });

  it('ends a lease that nobody gives up, unless it is renewed', async (t) => {
    const { limiter, time } = await setup(t, [AT_ONCE]);
    const renewed = await limiter.take(ask);
    const left = await limiter.take(ask);
    time.advance(9_000);
    const wasHeld = await limiter.renew(...renewed.taken);
    time.advance(1_000);

    const both = await limiter.take({ ...ask, cost: 2 });
    const one = await limiter.take(ask);
    const isLeftHeld = await limiter.renew(...left.taken);

    expect(wasHeld).toBe(true);
    expect(both).toMatchObject({ isAllowed: false, retryAfterMs: 9_000 });
    expect(one.isAllowed).toBe(true);
    expect(isLeftHeld).toBe(false);
  });

  it('gives up only leases, and leaves what was charged beside them', async (t) => {
    const { limiter } = await setup(t, [AT_ONCE, TEN_A_MINUTE]);
    const { taken } = await limiter.take({ ...ask, cost: 2 }, { policy: 'writes', key: 'ada', cost: 2 });

    await limiter.release(...taken);
    const { quotas } = await limiter.peek(ask, { policy: 'writes', key: 'ada' });

    expect(quotas.map(({ remaining }) => remaining)).toEqual([2, 8]);
  });
});

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
