/** This file owns walking our own keys: SCAN and UNLINK in batches, on every master of a Cluster. FLUSHDB and KEYS do not appear. */
import { Cluster, type Redis } from 'ioredis';
import type { RedisClient } from './connect.ts';

const SCAN_COUNT = 1_000;
/** ElastiCache Serverless refuses commands with more than 3,999 arguments. */
const UNLINK_BATCH = 500;

/**
 * Pages of keys that begin with `prefix`, as SCAN finds them: a key present from beginning to end is told at least
 * once, and may be told twice.
 */
export async function* scanKeys(client: RedisClient, prefix: string): AsyncGenerator<string[]> {
  for (const node of mastersOf(client)) {
    let cursor = '0';
    do {
      const page = await scanPage(node, prefix, cursor);
      cursor = page.cursor;
      if (page.keys.length > 0) yield page.keys;
    } while (cursor !== '0');
  }
}

/** One SCAN of one node; `cursor` '0' begins and '0' in the answer ends. */
export async function scanPage(
  node: Redis,
  prefix: string,
  cursor: string,
  count = SCAN_COUNT,
): Promise<{ cursor: string; keys: string[] }> {
  const [next, found] = await node.scan(cursor, 'MATCH', `${escapeGlob(prefix)}*`, 'COUNT', count);
  // MATCH is a glob; the prefix is compared once more, letter by letter.
  return { cursor: next, keys: found.filter((key) => key.startsWith(prefix)) };
}

/** Removes every key that begins with `prefix`, in batches; answers how many were there. `keep` spares keys. */
export async function unlinkByPrefix(
  client: RedisClient,
  prefix: string,
  keep?: (key: string) => boolean,
): Promise<number> {
  let removed = 0;
  for await (const page of scanKeys(client, prefix)) {
    removed += await unlinkKeys(client, keep ? page.filter((key) => !keep(key)) : page);
  }
  return removed;
}

/** Removes these keys in batches (one by one in a Cluster, where they lie in different slots); answers how many were there. */
export async function unlinkKeys(client: RedisClient, keys: readonly string[]): Promise<number> {
  let removed = 0;
  const size = client instanceof Cluster ? 1 : UNLINK_BATCH;
  const pending: Promise<number>[] = [];
  for (let from = 0; from < keys.length; from += size) {
    pending.push(client.unlink(...keys.slice(from, from + size)));
  }
  for (const count of await Promise.all(pending)) removed += count;
  return removed;
}

/** The nodes that hold keys: the client itself, or a Cluster's masters. */
export function mastersOf(client: RedisClient): Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client];
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^-]/g, '\\$&');
}
