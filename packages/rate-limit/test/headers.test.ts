import { parseList } from 'structured-headers';
import { describe, expect, it } from 'vitest';
import { limitHeaders } from '../src/index.ts';
import { setup } from './setup.ts';

/** Items of a structured field list as plain values. */
function items(field: string | undefined): [unknown, Record<string, unknown>][] {
  return parseList(field ?? '').map(([value, parameters]) => [
    value,
    Object.fromEntries(parameters as Map<string, unknown>),
  ]);
}

const MINUTE = { name: 'minute', algorithm: 'fixed', limit: 10, period: 'minute' } as const;
const BURST = { name: 'burst', algorithm: 'gcra', limit: 600, period: 'minute', burst: 20 } as const;
const AT_ONCE = { name: 'at-once', algorithm: 'concurrency', limit: 4, lease: '30s' } as const;

describe('an allowed decision', () => {
  it('tells every policy and what is left of it', async (t) => {
    const { limiter, time } = await setup(t, [MINUTE, BURST, AT_ONCE]);
    time.nowMs = 1_700_000_000_500;
    const decision = await limiter.take(
      { policy: 'minute', key: 'ada', cost: 4 },
      { policy: 'burst', key: 'ada', cost: 10 },
      { policy: 'at-once', key: 'ada' },
    );

    const headers = limitHeaders(decision);

    expect(items(headers['RateLimit-Policy'])).toEqual([
      ['minute', { q: 10, w: 60 }],
      ['burst', { q: 600, w: 60, 'sluice-burst': 20 }],
      ['at-once', { q: 4, qu: 'concurrent-requests' }],
    ]);
    expect(items(headers.RateLimit)).toEqual([
      ['minute', { r: 6, t: 60 }],
      ['burst', { r: 10, t: 1 }],
      ['at-once', { r: 3, t: 30 }],
    ]);
    expect(headers).toMatchObject({
      'X-RateLimit-Limit': '4',
      'X-RateLimit-Remaining': '3',
      // 1,700,000,030.5 s, rounded up: what is promised is there.
      'X-RateLimit-Reset': '1700000031',
    });
    expect(headers['Retry-After']).toBeUndefined();
  });

  it('has no t when nothing is out, no w for parts of a second, and says nothing of policies in shadow', async (t) => {
    const { limiter } = await setup(t, [
      { ...MINUTE, period: '250ms' },
      { ...BURST, shadow: true },
    ]);

    const decision = await limiter.peek({ policy: 'minute', key: 'ada' }, { policy: 'burst', key: 'ada' });

    expect(limitHeaders(decision)).toEqual({
      'RateLimit-Policy': '"minute";q=10',
      RateLimit: '"minute";r=10',
      'X-RateLimit-Limit': '10',
      'X-RateLimit-Remaining': '10',
      'X-RateLimit-Reset': '1700000000',
    });
  });

  it('has no headers when no policy is for it', async (t) => {
    const { limiter } = await setup(t, []);

    expect(limitHeaders(await limiter.take())).toEqual({});
  });
});

describe('a refused decision', () => {
  it('tells those that refused, and when to come again, never early', async (t) => {
    const { limiter, time } = await setup(t, [
      MINUTE,
      { ...BURST, name: 'day', limit: 7, burst: 7, period: 'day' },
      AT_ONCE,
    ]);
    const asks = ['minute', 'day', 'at-once'].map((policy) => ({ policy, key: 'ada' }));
    await limiter.take({ policy: 'minute', key: 'ada', cost: 9 }, { policy: 'day', key: 'ada', cost: 6 });
    time.advance(1);
    await limiter.take(...asks);

    const refused = await limiter.take(...asks);
    const headers = limitHeaders(refused);
    const remembered = limitHeaders(await limiter.take(...asks));

    expect(items(headers['RateLimit-Policy']).map(([name]) => name)).toEqual(['minute', 'day', 'at-once']);
    expect(items(headers.RateLimit)).toEqual([
      ['minute', { r: 0, t: 60 }],
      ['day', { r: 0, t: 12_343 }],
    ]);
    // A seventh of a day is 12,342,857.14 ms; one has passed, and what is left is rounded up.
    expect(refused.retryAfterMs).toBe(12_342_857);
    expect(headers['Retry-After']).toBe('12343');
    expect(headers['X-RateLimit-Remaining']).toBe('0');
    expect(remembered.RateLimit).toBe(headers.RateLimit);
    expect(remembered['Retry-After']).toBe(headers['Retry-After']);
  });

  it('tells the time its own cost needs, though one unit is there before', async (t) => {
    const { limiter } = await setup(t, [{ ...BURST, limit: 60, burst: 10 }]);
    await limiter.take({ policy: 'burst', key: 'ada', cost: 8 });

    const headers = limitHeaders(await limiter.take({ policy: 'burst', key: 'ada', cost: 7 }));

    expect(headers).toMatchObject({ RateLimit: '"burst";r=2;t=5', 'Retry-After': '5' });
  });

  it('has no Retry-After when waiting is in vain', async (t) => {
    const { limiter } = await setup(t, [MINUTE]);

    const headers = limitHeaders(await limiter.take({ policy: 'minute', key: 'ada', cost: 11 }));

    expect(headers['Retry-After']).toBeUndefined();
    expect(headers.RateLimit).toBe('"minute";r=10');
  });

  it.for(['fixed', 'sliding', 'gcra'] as const)(
    'passes when %s has waited as long as Retry-After says',
    async (algorithm, t) => {
      const { limiter, time, another } = await setup(t, [{ name: 'p', algorithm, limit: 7, period: '10s' }]);
      const ask = { policy: 'p', key: 'ada', cost: 3 };
      for (let i = 0; i < 20; i += 1) {
        const decision = await another().take(ask);
        time.advance(137);
        if (decision.isAllowed) continue;
        const waitMs = Number(limitHeaders(decision)['Retry-After']) * 1_000;
        time.advance(waitMs - 137);
        expect((await limiter.peek(ask)).isAllowed).toBe(true);
      }
    },
  );
});
