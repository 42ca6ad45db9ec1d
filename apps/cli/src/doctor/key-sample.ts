/** This file owns a look at some of our own keys: whether they end, and how they are named. Values are not read, names not told. */
import type { Keyspace, Role } from '@sluice/config';
import { mastersOf, type Redis, type RedisClient, scanPage } from '@sluice/redis';
import { type Answer, ask } from './answer.ts';
import { sampledRoots } from './keys.ts';

export interface KeySample {
  keys: number;
  /** Without a TTL. */
  endless: number;
  /** With blanks, or characters beyond printable ASCII, after the part that is ours. */
  awkward: number;
  /** Bytes of the longest key. */
  longestBytes: number;
}

export type SampledRole = 'session' | 'limit' | 'cache';
export type Samples = ReadonlyMap<SampledRole, Answer<KeySample>>;

export const SAMPLED_ROLES = ['session', 'limit', 'cache'] as const satisfies readonly Role[];
/** Of each node and role; a large Redis is not walked. */
const MAX_PAGES = 5;
const MAX_KEYS = 200;
const AWKWARD = /[^\x21-\x7e]/;

export async function sampleKeys(client: RedisClient, keyspace: Keyspace): Promise<Samples> {
  const roots = sampledRoots(keyspace);
  return new Map(
    await Promise.all(
      SAMPLED_ROLES.map(
        async (role) => [role, await ask('SCAN PTTL', () => sample(client, roots[role]))] as const,
      ),
    ),
  );
}

async function sample(client: RedisClient, root: string): Promise<KeySample> {
  const samples = await Promise.all(mastersOf(client).map((node) => sampleNode(node, root)));
  return samples.reduce((all, each) => ({
    keys: all.keys + each.keys,
    endless: all.endless + each.endless,
    awkward: all.awkward + each.awkward,
    longestBytes: Math.max(all.longestBytes, each.longestBytes),
  }));
}

async function sampleNode(node: Redis, root: string): Promise<KeySample> {
  const found: string[] = [];
  let cursor = '0';
  for (let page = 0; page < MAX_PAGES && found.length < MAX_KEYS; page += 1) {
    const next = await scanPage(node, root, cursor);
    found.push(...next.keys);
    cursor = next.cursor;
    if (cursor === '0') break;
  }
  const keys = found.slice(0, MAX_KEYS);
  const pipeline = node.pipeline();
  for (const key of keys) pipeline.pttl(key);
  const replies = keys.length === 0 ? [] : ((await pipeline.exec()) ?? []);
  for (const [error] of replies) if (error) throw error;
  return {
    keys: keys.length,
    endless: replies.filter(([, pttl]) => pttl === -1).length,
    awkward: keys.filter((key) => AWKWARD.test(key.slice(root.length))).length,
    longestBytes: Math.max(0, ...keys.map((key) => Buffer.byteLength(key))),
  };
}
