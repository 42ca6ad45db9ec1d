import { describe, expect, it } from 'vitest';
import { PREPAID_LIFE_MS } from '../src/prepaid.ts';
import { countScripts, setup } from './setup.ts';

const BUSY = { name: 'busy', algorithm: 'fixed', limit: 1_000, period: 'minute', prepay: 100 } as const;
const ask = { policy: 'busy', key: 'ada' };

describe('a policy that charges ahead', () => {
  it('asks Redis seldom for a busy key, and admits no more than the limit', async (t) => {
    const { limiter, another, client } = await setup(t, [BUSY]);
    const scripts = countScripts(client);
    const other = another();

    let admitted = 0;
    for (let i = 0; i < 700; i += 1) {
      if ((await limiter.take(ask)).isAllowed) admitted += 1;
      if ((await other.take(ask)).isAllowed) admitted += 1;
    }

    expect(admitted).toBeLessThanOrEqual(1_000);
    expect(admitted).toBeGreaterThan(1_000 - 2 * 100);
    expect(scripts()).toBeLessThan(100);
    expect((await another().peek({ ...ask, cost: 1 })).isAllowed).toBe(false);
  });

  it('tells what is left, its own units included', async (t) => {
    const { limiter, time } = await setup(t, [BUSY]);
    const remaining = async () => (await limiter.take(ask)).quotas[0]?.remaining;

    // Alone, with four ahead, three of them spent.
    expect([await remaining(), await remaining(), await remaining(), await remaining()]).toEqual([
      999, 994, 997, 996,
    ]);
    time.advance(10);
    expect(await limiter.take(ask)).toMatchObject({
      isAllowed: true,
      atMs: time.nowMs,
      quotas: [{ decidedBy: 'redis', remaining: 995, resetAfterMs: 59_990 }],
      taken: [{ policy: 'busy', key: 'ada', cost: 1, takenAtMs: time.nowMs }],
    });
  });

  it('loses what is not spent in time, and buys less then', async (t) => {
    const { limiter, client, time } = await setup(t, [BUSY]);
    for (let i = 0; i < 20; i += 1) await limiter.take(ask);
    time.advance(PREPAID_LIFE_MS);
    const scripts = countScripts(client);

    await limiter.take(ask);
    expect(scripts()).toBe(1);
    time.advance(2 * PREPAID_LIFE_MS);
    await limiter.take(ask);
    time.advance(2 * PREPAID_LIFE_MS);
    const before = (await limiter.peek(ask)).quotas[0]?.remaining ?? 0;
    await limiter.take(ask);
    const after = (await limiter.peek(ask)).quotas[0]?.remaining ?? 0;

    expect(before - after).toBe(1);
  });

  it('buys once for those who come together', async (t) => {
    const { limiter } = await setup(t, [BUSY]);
    await limiter.take(ask);

    await Promise.all(Array.from({ length: 50 }, () => limiter.take(ask)));

    expect((await limiter.peek(ask)).quotas[0]?.remaining).toBe(1_000 - 51 - 4);
  });

  it('spends for all policies of a request or for none', async (t) => {
    const { limiter, client } = await setup(t, [
      BUSY,
      { ...BUSY, name: 'also' },
      { name: 'exact', algorithm: 'fixed', limit: 3, period: 'minute' },
    ]);
    const asks = [ask, { ...ask, policy: 'also' }];
    for (let i = 0; i < 3; i += 1) await limiter.take(...asks);
    const scripts = countScripts(client);

    await limiter.take(...asks);
    expect(scripts()).toBe(0);
    const exact = await limiter.take({ policy: 'exact', key: 'ada', cost: 4 }, ...asks);
    expect(scripts()).toBe(1);

    expect(exact.isAllowed).toBe(false);
    expect((await limiter.take(...asks)).isAllowed).toBe(true);
  });

  it('forgets what it bought when the key is reset or blocked', async (t) => {
    const { limiter } = await setup(t, [BUSY]);
    for (let i = 0; i < 3; i += 1) await limiter.take(ask);
    await limiter.block({ ...ask, durationMs: 60_000 });

    expect((await limiter.take(ask)).isAllowed).toBe(false);
    await limiter.reset(ask);
    expect((await limiter.take(ask)).quotas[0]?.remaining).toBe(999);
  });

  it('keeps to a tenth of an override that is far lower', async (t) => {
    const { limiter } = await setup(t, [
      {
        ...BUSY,
        overrides: [
          { key: 'small', limit: 20 },
          { key: 'tiny', limit: 5 },
        ],
      },
    ]);
    const remaining = async (key: string) => {
      await limiter.take({ policy: 'busy', key });
      await limiter.take({ policy: 'busy', key });
      return (await limiter.peek({ policy: 'busy', key })).quotas[0]?.remaining;
    };

    expect([await remaining('small'), await remaining('tiny')]).toEqual([16, 3]);
  });
});
