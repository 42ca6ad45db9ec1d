import { setTimeout as wait } from 'node:timers/promises';
import { keyspace, type RedisConfig } from '@sluice/config';
import { close, connect, untilReady } from '@sluice/redis';
import { freePort, type TestContext, testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { DEFAULT_DEADLINE_MS, Limiter, type LimiterOptions, limitHeaders, refusalOf } from '../src/index.ts';
import type { PolicyInput } from '../src/schemas.ts';
import { countScripts, TestTime } from './setup.ts';

const POLICIES: readonly PolicyInput[] = [
  { name: 'open', algorithm: 'fixed', limit: 10, period: 'minute', away: 'open' },
  { name: 'closed', algorithm: 'sliding', limit: 10, period: 'minute', away: 'closed' },
  { name: 'memory', algorithm: 'gcra', limit: 10, period: 'minute', away: 'memory' },
  { name: 'leases', algorithm: 'concurrency', limit: 4, lease: '30s' },
];

async function limiterOn(t: TestContext, config: RedisConfig, options: Partial<LimiterOptions> = {}) {
  const redis = connect({ config, profile: 'request', name: 'limit-test' });
  t.onTestFinished(() => close(redis, 100));
  const keys = keyspace('away', { isCluster: false });
  return { redis, limiter: new Limiter({ redis, keys, policies: POLICIES, ...options }) };
}

/** On a Redis that nobody serves, with a time of its own. */
async function limiterWithoutRedis(t: TestContext, options: Partial<LimiterOptions> = {}) {
  const time = new TestTime();
  const config = { kind: 'standalone', host: '127.0.0.1', port: await freePort(), database: 0 } as const;
  const nobody = { ...config, username: undefined, password: undefined, tls: undefined };
  return { time, ...(await limiterOn(t, nobody, { clock: time, ...options })) };
}

/** Milliseconds that `work` took, and how late the timers of this process were meanwhile. */
async function timed<T>(work: Promise<T>) {
  const startedAt = performance.now();
  const timer = wait(DEFAULT_DEADLINE_MS).then(() => performance.now() - startedAt - DEFAULT_DEADLINE_MS);
  const result = await work;
  const tookMs = performance.now() - startedAt;
  return { result, tookMs, lateMs: await timer };
}

describe.for(['killed', 'frozen'] as const)('with Redis %s', (how) => {
  it.for(['open', 'closed', 'memory'] as const)('%s decides within 150 ms', async (policy, t) => {
    const server = await testServer(t);
    const { redis, limiter } = await limiterOn(t, server.config);
    await untilReady(redis, 5_000);
    const before = await limiter.take({ policy, key: 'ada' });
    if (how === 'killed') await server.kill();
    else server.pause();

    const { result, tookMs, lateMs } = await timed(limiter.take({ policy, key: 'ada' }));

    expect(before.quotas[0]?.decidedBy).toBe('redis');
    expect(tookMs).toBeLessThan(150 + lateMs);
    expect(result).toMatchObject({
      isAllowed: policy !== 'closed',
      refusal: policy === 'closed' ? 'redis_away' : null,
      quotas: [{ decidedBy: policy === 'memory' ? 'memory' : 'nobody' }],
    });
  });
});

it('asks a frozen Redis seldom, answers without it at once, and returns to it', async (t) => {
  const server = await testServer(t);
  const { redis, limiter } = await limiterOn(t, server.config);
  await untilReady(redis, 5_000);
  const ask = { policy: 'open', key: 'ada' };
  const decidedBy = async () => (await limiter.take(ask)).quotas[0]?.decidedBy;
  server.pause();
  const scripts = countScripts(redis);
  await limiter.take(ask);

  const tookMs: number[] = [];
  const decisions: Promise<void>[] = [];
  const until = performance.now() + 1_000;
  while (performance.now() < until) {
    const startedAt = performance.now();
    decisions.push(limiter.take(ask).then(() => void tookMs.push(performance.now() - startedAt)));
    await wait(1);
  }
  await Promise.all(decisions);

  expect(limiter.isAway).toBe(true);
  expect(scripts()).toBeLessThanOrEqual(1 + 1_000 / 250);
  expect(tookMs.filter((ms) => ms > DEFAULT_DEADLINE_MS / 2).length).toBeLessThan(tookMs.length / 2);
  expect(decisions.length).toBeGreaterThan(20);
  server.resume();
  await expect.poll(decidedBy, { timeout: 5_000 }).toBe('redis');
  expect(limiter.isAway).toBe(false);
});

it('charges one of several policies without Redis only when none refuses', async (t) => {
  const { limiter } = await limiterWithoutRedis(t);
  const asks = ['open', 'closed', 'memory'].map((policy) => ({ policy, key: 'ada' }));

  const refused = await limiter.take(...asks);
  const { quotas } = await limiter.peek({ policy: 'memory', key: 'ada' });

  expect(refused).toMatchObject({ isAllowed: false, refusal: 'redis_away', retryAfterMs: 1_000, taken: [] });
  expect(refusalOf(refused)).toMatchObject({ code: 'limit_unavailable', details: { policies: ['closed'] } });
  expect(quotas[0]?.remaining).toBe(10);
});

describe('memory', () => {
  it('counts the share of this process and drains it evenly', async (t) => {
    const { limiter, time } = await limiterWithoutRedis(t, { instances: 2 });
    const ask = { policy: 'memory', key: 'ada' };
    const take = async () => (await limiter.take(ask)).isAllowed;

    const first = [await take(), await take(), await take(), await take(), await take()];
    const refused = await limiter.take(ask);
    time.advance(11_999);
    const early = await take();
    time.advance(1);
    const inTime = await take();

    expect(first).toEqual([true, true, true, true, true]);
    expect(refused).toMatchObject({ isAllowed: false, refusal: 'over_limit', retryAfterMs: 12_000 });
    expect([early, inTime]).toEqual([false, true]);
    expect(limitHeaders(refused)).toMatchObject({
      RateLimit: '"memory";r=0;t=12;sluice-degraded',
      'Retry-After': '12',
    });
    expect(limiter.tallies.get('memory')).toMatchObject({ allowed: 6, refused: 2, remembered: 0, away: 8 });
  });

  it('keeps leases, which end, and takes charges back', async (t) => {
    const { limiter, time } = await limiterWithoutRedis(t);
    const both = [
      { policy: 'leases', key: 'ada', cost: 2 },
      { policy: 'memory', key: 'ada', cost: 10 },
    ];
    const first = await limiter.take(...both);
    await limiter.refund(...first.taken);
    const second = await limiter.take(...both);
    await limiter.release(...second.taken);
    const third = await limiter.take({ policy: 'leases', key: 'ada', cost: 4 });

    const full = await limiter.take({ policy: 'leases', key: 'ada' });
    time.advance(30_000);
    const free = await limiter.take({ policy: 'leases', key: 'ada', cost: 4 });

    expect([first, second, third].map(({ isAllowed }) => isAllowed)).toEqual([true, true, true]);
    expect(full).toMatchObject({ isAllowed: false, retryAfterMs: 30_000 });
    expect(free.isAllowed).toBe(true);
  });

  it('counts a bounded number of keys', async (t) => {
    const { limiter } = await limiterWithoutRedis(t);
    const take = (key: string) => limiter.take({ policy: 'memory', key, cost: 10 });
    await Promise.all(Array.from({ length: 10_000 }, (_, i) => take(`k${i}`)));

    const known = await take('k9999');
    await take('new');
    const forgotten = await take('k0');

    expect([known.isAllowed, forgotten.isAllowed]).toEqual([false, true]);
  });
});

it('rejects what cannot be done without Redis', async (t) => {
  const { limiter } = await limiterWithoutRedis(t);
  const ask = { policy: 'memory', key: 'ada' };
  const unavailable = { code: 'limit_unavailable' };

  await expect(limiter.refund(ask)).rejects.toMatchObject(unavailable);
  await expect(limiter.penalize(ask)).rejects.toMatchObject(unavailable);
  await expect(limiter.block({ ...ask, durationMs: 1 })).rejects.toMatchObject(unavailable);
  await expect(limiter.reset(ask)).rejects.toMatchObject(unavailable);
});
