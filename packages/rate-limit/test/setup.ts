/** This file owns what the tests of this package share: a limiter on a real Redis, with a time they can move. */
import type { Redis, RedisClient } from '@sluice/redis';
import { type TestContext, type TestRedis, testRedis } from '@sluice/redis/testing';
import { vi } from 'vitest';
import { Limiter, type LimiterOptions } from '../src/index.ts';
import type { PolicyInput } from '../src/schemas.ts';

/** A time that stands still until it is moved: Redis' for the limiter, and the process' own. */
export class TestTime {
  nowMs = 1_700_000_000_000;

  now = () => this.nowMs;
  monotonicMs = () => this.nowMs - 1_600_000_000_000;

  advance(ms: number): void {
    this.nowMs += ms;
  }
}

export interface Setup extends TestRedis {
  limiter: Limiter;
  time: TestTime;
  /** Another process on the same Redis. */
  another(options?: Partial<LimiterOptions>): Limiter;
}

export async function setup(
  t: TestContext,
  policies: readonly PolicyInput[],
  options: Partial<LimiterOptions> = {},
): Promise<Setup> {
  const redis = await testRedis(t);
  const time = new TestTime();
  const another = (more: Partial<LimiterOptions> = {}) =>
    new Limiter({
      redis: redis.client,
      keys: redis.keys,
      policies,
      clock: time,
      serverNowMs: time.now,
      // A test machine that stalls is no outage.
      deadlineMs: 10_000,
      ...options,
      ...more,
    });
  return { ...redis, limiter: another(), time, another };
}

/** How many scripts this client has sent since. */
export function countScripts(client: RedisClient): () => number {
  const sent = vi.spyOn(client as Redis, 'sendCommand');
  return () => sent.mock.calls.filter(([command]) => ['eval', 'evalsha'].includes(command.name)).length;
}
