/** This file owns what the tests of keys share: rings of several processes on one Redis, and a clock that goes ahead. */
import { randomBytes } from 'node:crypto';
import { testRedis } from '@sluice/redis/testing';
import { createLog, systemClock } from '@sluice/runtime';
import { expect, type TestContext } from 'vitest';
import { KeyRing, type KeyRingOptions } from '../src/index.ts';

export async function setup(t: TestContext, options: Partial<KeyRingOptions> = {}) {
  const redis = await testRedis(t);
  const pepper = randomBytes(32);
  const clock = { offsetMs: 0, now: () => Date.now() + clock.offsetMs, monotonicMs: systemClock.monotonicMs };
  const lines: string[] = [];
  const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
  /** One more process on the same Redis. */
  const ring = async (more: Partial<KeyRingOptions> = {}) => {
    const made = new KeyRing({
      client: redis.connect('worker'),
      keys: redis.keys,
      pepper,
      clock,
      log,
      ...options,
      ...more,
    });
    await made.start();
    t.onTestFinished(() => made.stop());
    await expect.poll(() => made.isLoaded, { timeout: 5_000 }).toBe(true);
    return made;
  };
  const records = `${redis.prefix}:system:keys`;
  const within2s = { timeout: 2_000, interval: 20 };
  return { ...redis, ring, first: await ring(), pepper, clock, lines, records, within2s };
}
