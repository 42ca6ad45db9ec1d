/** This file owns the question "does this Redis serve us?", answered within a deadline. */
import { within } from '@sluice/runtime';
import type { RedisClient } from './connect.ts';
import { type RedisFaultKind, redisFault } from './fault.ts';

export type Health = { isUp: true; latencyMs: number } | { isUp: false; kind: RedisFaultKind };

/** PING within `timeoutMs`, default 1 s. Never rejects. */
export async function health(client: RedisClient, timeoutMs = 1_000): Promise<Health> {
  const startedAt = performance.now();
  try {
    await within(client.ping(), timeoutMs);
    return { isUp: true, latencyMs: performance.now() - startedAt };
  } catch (error) {
    return { isUp: false, kind: redisFault(error)?.kind ?? 'unavailable' };
  }
}
