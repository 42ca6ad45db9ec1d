import { keyspace, type RedisConfig } from '@sluice/config';
import { close, connect, untilReady } from '@sluice/redis';
import type { TestContext } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { Limiter } from '../src/index.ts';
import type { PolicyInput } from '../src/schemas.ts';
import { type OwnRedis, ownRedis } from './own-redis.ts';
import { countScripts } from './setup.ts';

const LAST_SLOT = 16_383;

const POLICIES: readonly PolicyInput[] = [
  { name: 'per-key', algorithm: 'fixed', limit: 50, period: 'hour' },
  { name: 'per-route', algorithm: 'gcra', limit: 10, period: 'hour' },
  { name: 'per-address', algorithm: 'sliding', limit: 20, period: 'hour' },
  { name: 'at-once', algorithm: 'concurrency', limit: 2 },
];

/** A Redis Cluster of two masters, each with half of the slots. */
async function ownCluster(t: TestContext): Promise<{ nodes: OwnRedis[]; config: RedisConfig }> {
  const options = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '2000',
    '--cluster-require-full-coverage',
    'no',
  ];
  const nodes = [await ownRedis(t, options), await ownRedis(t, options)];
  const clients = nodes.map(({ config }) => connect({ config, profile: 'worker', name: 'test' }));
  const half = LAST_SLOT >> 1;
  const ranges = [
    [0, half],
    [half + 1, LAST_SLOT],
  ] as const;
  for (const [i, client] of clients.entries()) {
    await untilReady(client, 5_000).catch(() => undefined);
    await client.call('CLUSTER', 'ADDSLOTSRANGE', ...(ranges[i] ?? []));
  }
  await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', String(nodes[1]?.port));
  for (const client of clients) {
    await expect
      .poll(() => client.call('CLUSTER', 'INFO'), { timeout: 10_000 })
      .toContain('cluster_state:ok');
    await expect.poll(() => client.call('CLUSTER', 'INFO'), { timeout: 10_000 }).toContain('cluster_size:2');
  }
  await Promise.all(clients.map((client) => close(client)));
  const config: RedisConfig = {
    kind: 'cluster',
    nodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    username: undefined,
    password: undefined,
    tls: undefined,
  };
  return { nodes, config };
}

it('counts in a Redis Cluster', async (t) => {
  const { nodes, config } = await ownCluster(t);
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
  await nodes[1]?.kill();
  const startedAt = performance.now();
  const decided = await Promise.all(
    Array.from({ length: 20 }, (_, i) => impatient.take({ policy: 'per-key', key: `n_${i}` })),
  );
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(decided.every(({ isAllowed }) => isAllowed)).toBe(true);
  expect(new Set(decided.map(({ quotas }) => quotas[0]?.decidedBy))).toEqual(new Set(['redis', 'memory']));
}, 60_000);
