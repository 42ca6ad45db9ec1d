/**
 * Many clients at once against the clock of Redis; a log of every admission is judged afterwards. The full load is
 * `EXACT_CALLS=10000 npx vitest run packages/rate-limit/test/exactness.test.ts`: 50 clients of 10,000 calls each.
 */
import { type RedisClient, untilReady } from '@sluice/redis';
import { testRedis } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { Limiter } from '../src/index.ts';
import type { PolicyInput } from '../src/schemas.ts';

const CLIENTS = 50;
const CALLS = Number(process.env.EXACT_CALLS ?? 200);
const PERIOD_MS = 200;
const LIMIT = 23;
const BURST = 11;
const AT_ONCE = 7;

const POLICIES: readonly PolicyInput[] = [
  { name: 'fixed', algorithm: 'fixed', limit: LIMIT, period: `${PERIOD_MS}ms` },
  { name: 'sliding', algorithm: 'sliding', limit: LIMIT, period: `${PERIOD_MS}ms` },
  { name: 'gcra', algorithm: 'gcra', limit: LIMIT, period: `${PERIOD_MS}ms`, burst: BURST },
  { name: 'at-once', algorithm: 'concurrency', limit: AT_ONCE, lease: '60s' },
];

interface Admission {
  atMs: number;
  cost: number;
}

/** The most that any window held, from its first admission to its end. */
function mostInFixedWindows(log: readonly Admission[]): number {
  let most = 0;
  let endsAtMs = 0;
  let sum = 0;
  for (const { atMs, cost } of log) {
    if (atMs >= endsAtMs) {
      endsAtMs = atMs + PERIOD_MS;
      sum = 0;
    }
    sum += cost;
    most = Math.max(most, sum);
  }
  return most;
}

/** The most that any stretch of one period held, wherever it begins. */
function mostInAnyWindow(log: readonly Admission[]): number {
  let most = 0;
  let from = 0;
  let sum = 0;
  for (const { atMs, cost } of log) {
    sum += cost;
    while ((log[from]?.atMs ?? atMs) <= atMs - PERIOD_MS) sum -= log[from++]?.cost ?? 0;
    most = Math.max(most, sum);
  }
  return most;
}

/** The highest that a bucket rose which drains `LIMIT` a period. */
function highestLevel(log: readonly Admission[]): number {
  let highest = 0;
  let level = 0;
  let lastMs = 0;
  for (const { atMs, cost } of log) {
    level = Math.max(level - ((atMs - lastMs) * LIMIT) / PERIOD_MS, 0) + cost;
    lastMs = atMs;
    highest = Math.max(highest, level);
  }
  return highest;
}

it('never admits one over the limit in any window', async (t) => {
  const redis = await testRedis(t);
  const log = new Map<string, Admission[]>();
  const refused = new Map<string, number>();
  let held = 0;
  let mostHeld = 0;

  const work = async (client: RedisClient, number: number) => {
    const limiter = new Limiter({ redis: client, keys: redis.keys, policies: POLICIES, deadlineMs: 10_000 });
    for (let call = 0; call < CALLS; call += 1) {
      const cost = 1 + ((call + number) % 3);
      // A third asks for one policy, a third for all of them, a third holds a lease.
      const rate = ['fixed', 'sliding', 'gcra'][(call + number) % 3] as string;
      const asks = {
        one: [{ policy: rate, key: 'one', cost }],
        all: ['fixed', 'sliding', 'gcra'].map((policy) => ({ policy, key: 'all', cost })),
        lease: [
          { policy: 'at-once', key: 'lease' },
          { policy: rate, key: 'lease' },
        ],
      }[['one', 'all', 'lease'][call % 3] as 'one' | 'all' | 'lease'];
      const { isAllowed, taken, quotas } = await limiter.take(...asks);
      for (const quota of quotas)
        if (!quota.isAllowed) refused.set(quota.policy, (refused.get(quota.policy) ?? 0) + 1);
      for (const { policy, key, cost: charged, takenAtMs } of taken) {
        const name = `${policy} ${key}`;
        const admissions = log.get(name) ?? [];
        admissions.push({ atMs: takenAtMs ?? Number.NaN, cost: charged });
        log.set(name, admissions);
      }
      // Who is refused comes again at once, in the next turn.
      if (!isAllowed) await new Promise((resolve) => setImmediate(resolve));
      if (!isAllowed || asks.length !== 2) continue;
      held += 1;
      mostHeld = Math.max(mostHeld, held);
      for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      held -= 1;
      await limiter.release(...taken);
    }
  };
  const clients = Array.from({ length: CLIENTS }, () => redis.connect('request'));
  await Promise.all(clients.map((client) => untilReady(client, 10_000)));
  await Promise.all(clients.map(work));

  expect([...log.keys()].sort()).toHaveLength(10);
  for (const [name, admissions] of log) {
    const inOrder = admissions.sort((one, other) => one.atMs - other.atMs);
    const [policy] = name.split(' ');
    if (policy === 'fixed') expect(mostInFixedWindows(inOrder), name).toBeLessThanOrEqual(LIMIT);
    if (policy === 'sliding') expect(mostInAnyWindow(inOrder), name).toBeLessThanOrEqual(LIMIT);
    if (policy === 'gcra') expect(highestLevel(inOrder), name).toBeLessThanOrEqual(BURST + 1e-6);
  }
  expect(mostHeld).toBeLessThanOrEqual(AT_ONCE);
  // The limits bit.
  for (const policy of POLICIES) expect(refused.get(policy.name), policy.name).toBeGreaterThan(10);
}, 600_000);
