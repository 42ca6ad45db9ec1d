/** This file owns the question whether a Redis could serve: asked once, over a connection of its own, within a deadline. */
import type { RedisConfig } from '@sluice/config';
import {
  close,
  connect,
  outageOf,
  type RedisClient,
  type RedisFaultKind,
  redisFault,
  untilReady,
} from '@sluice/redis';
import { within } from '@sluice/runtime';

export interface ConnectionTest {
  /** Something that speaks as Redis answered. */
  isReachable: boolean;
  /** It takes our credentials, or needs none. */
  isAuthenticated: boolean;
  /** Of one PING; `null` when it did not serve. */
  latencyMs: number | null;
  /** `null` when it did not serve, or does not tell. */
  serverVersion: string | null;
  /** Why it cannot serve; `null` when it can. */
  fault: RedisFaultKind | null;
  /** Sentences about what will hurt later. */
  warnings: string[];
}

/** Of the 1.8 s that a handler has; closing a connection that says nothing takes the rest. */
const DEADLINE_MS = 1_300;
const CLOSE_TIMEOUT_MS = 100;

/** Never rejects for what is wrong with that Redis; leaves no connection behind. */
export async function testConnection(config: RedisConfig): Promise<ConnectionTest> {
  const client = connect({ config, profile: 'request', name: 'test' });
  const startedAt = performance.now();
  const leftMs = () => Math.max(DEADLINE_MS - (performance.now() - startedAt), 1);
  try {
    await readyOrFailed(client, leftMs());
    const pingedAt = performance.now();
    await within(client.ping(), leftMs());
    const latencyMs = Math.round((performance.now() - pingedAt) * 1_000) / 1_000;
    const info = await within(infoOf(client), leftMs());
    return {
      isReachable: true,
      isAuthenticated: true,
      latencyMs,
      serverVersion: info.get('redis_version') ?? null,
      fault: null,
      warnings: warningsOf(info),
    };
  } catch (error) {
    const fault = redisFault(error)?.kind ?? redisFault(outageOf(client))?.kind ?? 'unavailable';
    const isReachable = fault !== 'unavailable';
    const isAuthenticated = isReachable && fault !== 'auth';
    return { isReachable, isAuthenticated, latencyMs: null, serverVersion: null, fault, warnings: [] };
  } finally {
    await close(client, CLOSE_TIMEOUT_MS);
  }
}

/** The first failure is the answer: nobody waits here for a Redis to come back. */
function readyOrFailed(client: RedisClient, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('error', reject);
    untilReady(client, timeoutMs).then(resolve, reject);
  });
}

/** Empty when our user may not ask. */
async function infoOf(client: RedisClient): Promise<ReadonlyMap<string, string>> {
  try {
    const text = await client.info();
    return new Map(
      [...text.matchAll(/^(\w+):([^\r\n]*)/gm)].map(([, name = '', value = '']) => [name, value]),
    );
  } catch (error) {
    if (redisFault(error)?.kind === 'auth') return new Map();
    throw error;
  }
}

function warningsOf(info: ReadonlyMap<string, string>): string[] {
  const number = (name: string) => Number(info.get(name) ?? 0);
  const policy = info.get('maxmemory_policy');
  const warnings: string[] = [];
  if (info.size === 0)
    warnings.push('This user may not ask INFO, so nothing is known of memory and eviction.');
  if (policy === 'noeviction' && number('maxmemory') > 0)
    warnings.push(
      'maxmemory-policy is noeviction: once memory is full, values are refused. A cache wants allkeys-lru.',
    );
  if (info.size > 0 && number('maxmemory') === 0)
    warnings.push('maxmemory is 0: the cache grows until the machine has no memory left.');
  if (number('maxmemory') > 0 && number('used_memory') > 0.8 * number('maxmemory'))
    warnings.push('More than 80 % of maxmemory is in use.');
  if (info.get('role') === 'slave') warnings.push('It is a replica: it takes no writes.');
  return warnings;
}
