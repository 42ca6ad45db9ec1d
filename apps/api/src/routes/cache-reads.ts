/** This file owns reading: values and lists of keys to the page's answers. Values are put into the answer as the text they are. */
import { type Cache, type CacheEntry, keyNotFound, readTtl, type TimedEntry } from '@sluice/cache';
import type { ErrorCode, routes } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { Call } from '../http/call.ts';
import { empty, json, jsonText, type Reply } from '../http/reply.ts';
import type { CallerCache } from './cache-call.ts';
import { isKnown } from './cache-conditions.ts';
import { requireFew } from './cache-writes.ts';

type ReadCall = Call<(typeof routes)['readValue']>;
type ListCall = Call<(typeof routes)['readKeys']>;

/** For the caller alone, to be asked about again before each use. */
const CACHE_CONTROL = 'private, no-cache';

export async function readOne(call: ReadCall, caller: CallerCache, key: string): Promise<Reply> {
  const { query } = call;
  const { cache } = caller;
  if (query.check_exist) return json(200, { key, exists: await cache.has(key) });
  if (query.clear || query.pull) caller.require('delete', key);
  if (query.touch !== undefined) caller.require('write', key);
  const { entry, ttlSeconds } = await fetchOne(cache, key, query);
  if (!entry) {
    if (query.default === undefined) throw keyNotFound(key);
    return query.raw ? text(200, query.default) : json(200, { key, value: query.default, default: true });
  }
  // With its ttl in it the body differs from second to second, and one ETag would not name one body.
  const isTimed = query.include_ttl === true;
  const headers: Record<string, string> = { 'Cache-Control': CACHE_CONTROL };
  if (!isTimed) {
    headers.ETag = `"${entry.etag}"`;
    if (isKnown(call.header('if-none-match'), entry.etag)) return empty(304, headers);
  }
  if (query.raw) return rawReply(entry, headers);
  return jsonText(200, memberText(key, entry, isTimed ? ttlSeconds : undefined), headers);
}

/** One entry by the way the query asks for; `ttlSeconds` only when it was asked for. */
async function fetchOne(
  cache: Cache,
  key: string,
  query: ReadCall['query'],
): Promise<{ entry: CacheEntry | undefined; ttlSeconds?: number | null }> {
  if (query.clear || query.pull) return { entry: await cache.take(key) };
  if (query.touch !== undefined) {
    const entry = await cache.touch(key, readTtl(query.touch) ?? cache.defaultTtl);
    if (!entry || !query.include_ttl) return { entry };
  }
  if (!query.include_ttl) return { entry: await cache.get(key) };
  const timed: TimedEntry | undefined = await cache.getTimed(key);
  return timed ?? { entry: undefined };
}

export async function listOrRead(call: ListCall, caller: CallerCache, maxBatchItems: number): Promise<Reply> {
  const { query } = call;
  if (query.keys !== undefined) return await readMany(query.keys, call, caller, maxBatchItems);
  const page = await caller.cache.list({
    prefix: query.prefix ?? '',
    ...(query.limit !== undefined && { limit: query.limit }),
    cursor: query.cursor,
  });
  const keys = page.keys.filter((key) => caller.may('read', key));
  const meta = page.next === undefined ? {} : { meta: { next: page.next, count: keys.length } };
  if (query.as_list) return json(200, { resource: keys, ...meta });
  if (!query.include_ttl) return json(200, { resource: keys.map((key) => ({ key })), ...meta });
  const timed = await caller.cache.ttls(keys);
  const resource = keys.flatMap((key, at) => {
    const ttl = timed[at];
    // Gone since it was listed.
    return ttl === undefined ? [] : [{ key, ttl: ttl ?? 0 }];
  });
  return json(200, { resource, ...meta });
}

async function readMany(
  given: string | string[],
  call: ListCall,
  caller: CallerCache,
  maxBatchItems: number,
): Promise<Reply> {
  const keys = keysOf(given);
  requireFew(keys.length, maxBatchItems);
  return await readAll(keys, call.query, caller);
}

/** Each of `keys` in their order, in one round trip (two with their TTLs). */
export async function readAll(
  keys: readonly string[],
  query: Pick<ListCall['query'], 'include_ttl' | 'check_exist' | 'default'>,
  caller: CallerCache,
): Promise<Reply> {
  for (const key of keys) caller.require('read', key);
  const entries = await caller.cache.getMany(keys);
  const ttls = query.include_ttl ? await caller.cache.ttls(keys) : [];
  const members = keys.map((key, at) => {
    const entry = entries[at];
    if (query.check_exist) return JSON.stringify({ key, exists: entry !== undefined });
    if (entry) return memberText(key, entry, query.include_ttl ? (ttls[at] ?? null) : undefined);
    if (query.default === undefined) return JSON.stringify({ key, exists: false });
    return JSON.stringify({ key, value: query.default, default: true });
  });
  return jsonText(200, `{"resource":[${members.join(',')}]}`);
}

/** One `keys` is a comma list; repeated, each is a key as it stands. Throws `input_invalid` when there is none. */
export function keysOf(given: string | string[]): string[] {
  if (Array.isArray(given)) return given;
  if (given === '') throw new DomainError<ErrorCode>('input_invalid', '`keys` names no key.');
  return given.split(',');
}

/** `ttlSeconds`: `undefined` leaves it out, `null` is the page's 0, no expiration. A stale entry has no ttl left to tell. */
function memberText(key: string, entry: CacheEntry, ttlSeconds: number | null | undefined): string {
  const ttl = ttlSeconds === undefined || entry.isStale ? '' : `,"ttl":${ttlSeconds ?? 0}`;
  const stale = entry.isStale ? ',"stale":true' : '';
  return `{"key":${JSON.stringify(key)},"value":${entry.text}${ttl}${stale}}`;
}

function rawReply(entry: CacheEntry, headers: Record<string, string>): Reply {
  const { value } = entry;
  return typeof value === 'string' ? text(200, value, headers) : jsonText(200, entry.text, headers);
}

function text(status: number, body: string, headers: Record<string, string> = {}): Reply {
  return { status, body, headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers } };
}
