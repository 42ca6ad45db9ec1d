import { describe, expect, it } from 'vitest';
import { Denials, MAX_DENIALS, RECHECK_AFTER_MS } from '../src/denials.ts';
import { countScripts, setup } from './setup.ts';

const ONE = { name: 'one', algorithm: 'fixed', limit: 2, period: '4s' } as const;
const ask = { policy: 'one', key: 'ada' };

describe('a refused key', () => {
  it('is refused from memory until its time has come, with the time that is left', async (t) => {
    const { limiter, client, time } = await setup(t, [ONE]);
    await limiter.take({ ...ask, cost: 2 });
    await limiter.take(ask);
    const scripts = countScripts(client);

    time.advance(3_999);
    const last = await limiter.take(ask);
    expect(scripts()).toBe(0);
    time.advance(1);
    const free = await limiter.take(ask);

    expect(last).toMatchObject({
      isAllowed: false,
      refusal: 'over_limit',
      retryAfterMs: 1,
      atMs: time.nowMs - 1,
    });
    expect(free).toMatchObject({ isAllowed: true, taken: [{ cost: 1, takenAtMs: time.nowMs }] });
  });

  it('is told of as long as it is refused, by the policy that refuses it', async (t) => {
    const { limiter, time } = await setup(t, [ONE, { ...ONE, name: 'two', period: '9s' }]);
    expect(limiter.refused(10)).toEqual([]);
    for (const [policy, key] of [
      ['one', 'ada'],
      ['two', 'b|o'],
    ] as const) {
      await limiter.take({ policy, key, cost: 2 });
      await limiter.take({ policy, key });
    }

    expect(limiter.refused(10)).toEqual([
      { policy: 'two', subject: 'b%7Co', retryAfterMs: 9_000 },
      { policy: 'one', subject: 'ada', retryAfterMs: 4_000 },
    ]);
    expect(limiter.refused(0)).toEqual([]);
    time.advance(4_000);
    expect(limiter.refused(10)).toMatchObject([{ policy: 'two' }]);
  });

  it('is asked about for less than was refused', async (t) => {
    const { limiter } = await setup(t, [ONE]);
    await limiter.take(ask);

    const two = await limiter.take({ ...ask, cost: 2 });
    const one = await limiter.take(ask);

    expect([two.isAllowed, one.isAllowed]).toEqual([false, true]);
  });

  it('is asked about again after a while, so that a reset elsewhere counts', async (t) => {
    const { limiter, another, time } = await setup(t, [{ ...ONE, period: '30-day' }]);
    await limiter.take({ ...ask, cost: 2 });
    const refused = await limiter.take(ask);
    await another().reset(ask);

    const remembered = await limiter.take(ask);
    time.advance(RECHECK_AFTER_MS);
    const asked = await limiter.take(ask);

    expect(refused.retryAfterMs).toBe(2_592_000_000);
    expect([remembered.isAllowed, asked.isAllowed]).toEqual([false, true]);
  });

  it('is not remembered for leases, which may come back at any time, nor in shadow', async (t) => {
    const { limiter, client } = await setup(t, [
      { name: 'at-once', algorithm: 'concurrency', limit: 1 },
      { ...ONE, shadow: true },
    ]);
    const asks = [
      { policy: 'at-once', key: 'ada' },
      { ...ask, cost: 2 },
    ];
    await limiter.take(...asks);
    await limiter.take(...asks);
    const scripts = countScripts(client);

    await limiter.take(...asks);

    expect(scripts()).toBe(1);
  });
});

describe('Denials', () => {
  const denial = { cost: 1, remaining: 0, untilMs: 100, fullAtMs: 100, recheckAtMs: 100, epochMs: 0 };

  it('holds a bounded number of keys and forgets the oldest first', () => {
    const denials = new Denials();
    for (let i = 0; i < MAX_DENIALS + 10; i += 1) denials.remember(`k${i}`, denial);
    denials.remember('k10', denial);

    expect(denials.size).toBe(MAX_DENIALS);
    expect(denials.find('k9', 1, 0)).toBeUndefined();
    expect(denials.find('k10', 1, 0)).toBe(denial);
    expect(denials.find(`k${MAX_DENIALS + 9}`, 1, 0)).toBe(denial);
  });

  it('drops what is over when it is looked at', () => {
    const denials = new Denials();
    denials.remember('ada', denial);

    expect(denials.find('ada', 1, 99)).toBe(denial);
    expect(denials.find('ada', 1, 100)).toBeUndefined();
    expect(denials.size).toBe(0);
  });
});
