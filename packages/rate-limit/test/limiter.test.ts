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
