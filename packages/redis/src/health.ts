/** This file owns the question "does this Redis serve us?", answered within a deadline. */
import { within } from '@sluice/runtime';
import type { RedisClient } from './connect.ts';
import { type RedisFaultKind, redisFault } from './fault.ts';
import { mastersOf } from './scan.ts';

export type Health = { isUp: true; latencyMs: number } | { isUp: false; kind: RedisFaultKind };

/**
 * PING within `timeoutMs`, default 1 s. Never rejects. A Cluster is up as long as one of its masters answers: a part that is
 * away fails over, and whoever is sent elsewhere meanwhile is not served better.
 */
export async function health(client: RedisClient, timeoutMs = 1_000): Promise<Health> {
  const startedAt = performance.now();
  try {
    await within(Promise.any(mastersOf(client).map((node) => node.ping())), timeoutMs);
    return { isUp: true, latencyMs: performance.now() - startedAt };
  } catch (error) {
    const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
    return { isUp: false, kind: redisFault(first)?.kind ?? 'unavailable' };
  }
}
