import { describe, expect, it } from 'vitest';
import { setup } from './setup.ts';

const TEN_A_MINUTE = { name: 'writes', algorithm: 'fixed', limit: 10, period: 'minute' } as const;

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
