import { keyspace } from '@sluice/config';
import { close, connect, untilReady } from '@sluice/redis';
import { testCluster } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { Limiter } from '../src/index.ts';
import type { PolicyInput } from '../src/schemas.ts';
import { countScripts } from './setup.ts';

const POLICIES: readonly PolicyInput[] = [
  { name: 'per-key', algorithm: 'fixed', limit: 50, period: 'hour' },
  { name: 'per-route', algorithm: 'gcra', limit: 10, period: 'hour' },
  { name: 'per-address', algorithm: 'sliding', limit: 20, period: 'hour' },
  { name: 'at-once', algorithm: 'concurrency', limit: 2 },
];

it('counts in a Redis Cluster', async (t) => {
  const { masters, config } = await testCluster(t, { settings: ['cluster-require-full-coverage no'] });
  const redis = connect({ config, profile: 'request', name: 'limit-test' });
  t.onTestFinished(() => close(redis, 100));
  await untilReady(redis, 10_000);
  const on = { redis, keys: keyspace('cluster', { isCluster: true }), policies: POLICIES };
  const limiter = new Limiter({ ...on, deadlineMs: 10_000 });
  const impatient = new Limiter(on);
  const scripts = countScripts(redis);
  const remaining = async (policy: string, key: string | string[]) =>
    (await limiter.peek({ policy, key })).quotas[0]?.remaining;

  // One key's policies lie in one slot, and a turn is one call a slot.
  const asks = [
    { policy: 'per-key', key: 'k_1' },
    { policy: 'per-route', key: ['k_1', 'POST /x'] },
    { policy: 'at-once', key: 'k_1' },
  ];
  const turn = await Promise.all([limiter.take(...asks), limiter.take(...asks), limiter.take(...asks)]);
  expect(turn.map(({ isAllowed }) => isAllowed)).toEqual([true, true, false]);
  expect(scripts()).toBe(1);
  expect(await remaining('per-key', 'k_1')).toBe(48);

  // Policies of two slots: taken side by side, and given back where another refuses.
  const two = [
    { policy: 'per-key', key: 'k_2', cost: 15 },
    { policy: 'per-address', key: '203.0.113.7', cost: 15 },
  ];
  const allowed = await limiter.take(...two);
  const refused = await limiter.take(...two);
  expect(allowed).toMatchObject({
    isAllowed: true,
    quotas: [{ policy: 'per-key' }, { policy: 'per-address' }],
  });
  expect(refused).toMatchObject({ isAllowed: false, taken: [] });
  expect(await remaining('per-key', 'k_2')).toBe(35);
  expect(await remaining('per-address', '203.0.113.7')).toBe(5);

  // Many at once, over both masters: never one over, and nothing lost by giving back.
  const many = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      limiter.take({ policy: 'per-key', key: `m_${i % 7}` }, { policy: 'per-address', key: '198.51.100.1' }),
    ),
  );
  const admitted = many.filter(({ isAllowed }) => isAllowed).length;
  expect(admitted).toBe(20);
  const left = await Promise.all(Array.from({ length: 7 }, (_, i) => remaining('per-key', `m_${i}`)));
  expect(left.reduce<number>((sum, each) => sum + (each ?? 0), 0)).toBe(7 * 50 - admitted);

  // With one master gone, its keys are decided without it, the others' as before.
  await masters[1]?.kill();
  const startedAt = performance.now();
  const decided = await Promise.all(
    Array.from({ length: 20 }, (_, i) => impatient.take({ policy: 'per-key', key: `n_${i}` })),
  );
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(decided.every(({ isAllowed }) => isAllowed)).toBe(true);
  expect(new Set(decided.map(({ quotas }) => quotas[0]?.decidedBy))).toEqual(new Set(['redis', 'memory']));
}, 60_000);
