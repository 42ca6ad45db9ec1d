/** This file owns the routes of a cache service's keys: the published page's six endpoints and what reads and writes beside them. */
import { MAX_BATCH_KEYS, MAX_LIST_LIMIT } from '@sluice/cache/schemas';
import { z } from 'zod';
import { IF_MATCH_HEADER, IF_NONE_MATCH } from '../headers.ts';
import { queryFlag, queryInteger } from '../query.ts';
import { route } from '../route.ts';

const ROOT = '/api/v2/{service}';
const KEY = '/api/v2/{service}/{key}';
const tag = 'cache';

const service = z
  .string()
  .meta({ description: 'Name of the cache service; case does not matter', example: 'redis' });
const root = z.object({ service });
const one = z.object({
  service,
  key: z.string().meta({ description: 'The rest of the path, slashes included' }),
});

const key = z.string().meta({ example: 'user:123:profile' });
const value = z.unknown().meta({ description: 'Any JSON, as it was stored' });
const seconds = z.int().meta({ description: 'Seconds left; 0 no expiration' });

/** What is stored under one key. */
export interface CacheItem {
  key: string;
  value: unknown;
  /** Seconds; 0 no expiration; -1 or absent the service's default. */
  ttl?: number | string;
  /** Only when the key does not exist. */
  nx?: boolean;
  /** Only when the key exists. */
  xx?: boolean;
  keep_ttl?: boolean;
  /** An ETag as a read answers it, or several. */
  if_match?: string | readonly string[];
  tags?: readonly string[];
  /** Seconds after the TTL in which the value is still served, as stale. */
  grace?: number;
}

export type StoreBody =
  | { resource: readonly CacheItem[] }
  | readonly CacheItem[]
  | CacheItem
  | Record<string, unknown>;

const item = {
  type: 'object',
  required: ['key', 'value'],
  properties: {
    key: { type: 'string' },
    value: { description: 'Any JSON' },
    ttl: {
      type: 'integer',
      description: 'Seconds; 0 no expiration; -1 or absent the default of the service',
    },
    nx: { type: 'boolean', description: 'Only when the key does not exist' },
    xx: { type: 'boolean', description: 'Only when the key exists' },
    keep_ttl: { type: 'boolean' },
    if_match: { type: 'string', description: 'Only over the value with this ETag' },
    tags: { type: 'array', items: { type: 'string' } },
    grace: {
      type: 'integer',
      description: 'Seconds after the TTL in which the value is still served, as stale',
    },
  },
} as const;

const storeBody = z
  .custom<StoreBody>(() => true)
  .meta({
    type: 'object',
    description:
      'A list under `resource`, a bare list, a single item, or a map of keys to values (then nothing may exist yet)',
    properties: { resource: { type: 'array', items: item } },
    examples: [
      {
        resource: [
          { key: 'user:123:profile', value: { name: 'John Doe', email: 'john@example.com' }, ttl: 3600 },
        ],
      },
    ],
  });

const valueBody = z
  .custom<unknown>(() => true)
  .meta({
    type: ['object', 'array', 'string', 'number', 'boolean', 'null'],
    description: 'An item `{"value": …, "ttl": …}`, or the bare value',
    examples: [{ value: { name: 'John Doe' }, ttl: 3600 }],
  });

const keysBody = z.strictObject({
  resource: z
    .array(z.union([z.string(), z.strictObject({ key: z.string() })]))
    .min(1)
    .max(MAX_BATCH_KEYS),
});

const keys = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .meta({ type: 'string', description: 'Comma list; repeated, each is one key as it stands' });
const ttlQuery = z.string().optional().meta({ description: 'For items that state none; seconds, 0, or -1' });
const writeQuery = z.object({
  ttl: ttlQuery,
  forever: queryFlag.meta({ type: 'boolean', description: 'Items that state no ttl have no expiration' }),
});
const batchQuery = writeQuery.extend({
  continue: queryFlag.meta({ type: 'boolean', description: 'Store the good items of a batch with bad ones' }),
  if_not_exists: queryFlag,
});
const singleQuery = writeQuery.extend({
  keep_ttl: queryFlag,
  value_mode: z
    .enum(['raw', 'item'])
    .optional()
    .meta({ description: 'What the body is, when it could be both' }),
});

const stored = z.object({ key, success: z.literal(true) });
const perKey = z.object({ resource: z.array(z.object({ key, success: z.boolean() })) });
const storedList = z.union([
  z.object({ resource: z.array(stored) }),
  z.object({ success: z.literal(true) }).meta({ description: 'When the body was a map' }),
]);

const page = z.object({
  resource: z.array(z.union([z.object({ key, ttl: seconds.optional() }), z.string()])),
  meta: z.object({ next: z.string(), count: z.int() }).optional().meta({ description: 'When there is more' }),
});
const found = z.object({
  resource: z.array(
    z.union([
      z.object({
        key,
        value,
        ttl: seconds.optional(),
        stale: z.literal(true).optional(),
        default: z.literal(true).optional(),
      }),
      z.object({ key, exists: z.boolean() }),
    ]),
  ),
});

const always = ['service_unknown', 'cache_unavailable', 'storage_busy'] as const;
const writing = [
  ...always,
  'key_invalid',
  'ttl_invalid',
  'value_invalid',
  'value_too_large',
  'tag_invalid',
] as const;

export const cache = {
  readKeys: route({
    id: 'readKeys',
    method: 'get',
    path: ROOT,
    tag,
    summary: 'List keys, or read those that are named',
    description:
      'Lists a page of keys with SCAN (use sparingly). With `keys` it reads these in one round trip.',
    access: { area: 'cache', verb: 'read' },
    params: root,
    query: z.object({
      keys,
      prefix: z.string().optional(),
      limit: queryInteger(1, MAX_LIST_LIMIT),
      cursor: z.string().optional(),
      as_list: queryFlag,
      include_ttl: queryFlag,
      check_exist: queryFlag,
      default: z.string().optional().meta({ description: 'Answered for a key that does not exist' }),
    }),
    replies: { 200: { description: 'Keys, or values in the order asked', schema: z.union([page, found]) } },
    errors: [...always, 'key_invalid', 'cursor_invalid'],
  }),
  storeValues: route({
    id: 'storeValues',
    method: 'post',
    path: ROOT,
    tag,
    summary: 'Store one or more key-value pairs',
    description:
      'One pipeline. Stores over existing keys, except that a map of which a key exists stores nothing.',
    access: { area: 'cache', verb: 'write' },
    params: root,
    query: batchQuery,
    body: { schema: storeBody, carried: ['value'], bound: 'batch' },
    replies: {
      200: { description: 'Stored (services with the option `post_status` 200)', schema: storedList },
      201: { description: 'Stored', schema: storedList },
    },
    errors: [...writing, 'keys_exist', 'key_exists', 'key_not_found', 'etag_mismatch', 'batch_failed'],
  }),
  replaceValues: route({
    id: 'replaceValues',
    method: 'put',
    path: ROOT,
    tag,
    summary: 'Store many, whether they exist or not',
    access: { area: 'cache', verb: 'write' },
    params: root,
    query: batchQuery,
    body: { schema: storeBody, carried: ['value'], bound: 'batch' },
    replies: { 200: { description: 'Stored', schema: storedList } },
    errors: [...writing, 'key_exists', 'key_not_found', 'etag_mismatch', 'batch_failed'],
  }),
  flushCache: route({
    id: 'flushCache',
    method: 'delete',
    path: ROOT,
    tag,
    summary: 'Flush all keys (dangerous), or delete those that are named',
    description:
      "Removes this service's keys only (scope `cache:flush`). With `keys`, or a body of keys, it deletes these (scope `cache:delete` for each); an empty or broken list is refused and never a flush.",
    // A flush needs `cache:flush` for the prefix, named keys `cache:delete` for each.
    access: 'key',
    params: root,
    query: z.strictObject({
      keys,
      prefix: z.string().min(1, 'is empty').optional().meta({ description: 'Flush keys that begin with it' }),
      dry_run: queryFlag.meta({ type: 'boolean', description: 'Count only' }),
      force: queryFlag.meta({ type: 'boolean', description: 'Confirms, where the service wants it' }),
      allow_delete: queryFlag,
      api_key: z.string().optional(),
      session_token: z.string().optional(),
    }),
    body: { schema: keysBody, isOptional: true },
    replies: {
      200: {
        description: 'Flushed, or per key whether it was there',
        schema: z.union([z.object({ success: z.literal(true), deleted: z.int() }), perKey]),
      },
    },
    errors: [...always, 'key_invalid', 'flush_denied', 'flush_unconfirmed'],
    // Millions of keys take seconds; each step of the way is bounded, and ends at once when Redis is away.
    isLongPoll: true,
  }),
  readValue: route({
    id: 'readValue',
    method: 'get',
    path: KEY,
    tag,
    summary: 'Get value by key',
    access: { area: 'cache', verb: 'read' },
    headers: IF_NONE_MATCH,
    params: one,
    query: z.object({
      check_exist: queryFlag.meta({ type: 'boolean', description: 'Tell only whether the key exists' }),
      default: z.string().optional().meta({ description: 'Answered when the key does not exist' }),
      clear: queryFlag.meta({ type: 'boolean', description: 'Read and delete in one step' }),
      pull: queryFlag.meta({ type: 'boolean', description: 'The same as clear' }),
      raw: queryFlag.meta({ type: 'boolean', description: 'The bare value; a string as text' }),
      include_ttl: queryFlag,
      touch: z.string().optional().meta({ description: 'Set this ttl in the same step' }),
    }),
    replies: {
      200: {
        description: 'The value, or whether it exists',
        schema: z.union([
          z.object({
            key,
            value,
            ttl: seconds.optional(),
            stale: z.literal(true).optional(),
            default: z.literal(true).optional(),
          }),
          z.object({ key, exists: z.boolean() }),
        ]),
      },
      304: { description: 'The ETag in If-None-Match is still the value’s' },
    },
    errors: [...always, 'key_invalid', 'key_not_found', 'ttl_invalid'],
  }),
  createValue: route({
    id: 'createValue',
    method: 'post',
    path: KEY,
    tag,
    summary: 'Store under a key that does not exist',
    access: { area: 'cache', verb: 'write' },
    params: one,
    query: singleQuery,
    body: { schema: valueBody, carried: ['value'], acceptsText: true },
    replies: { 201: { description: 'Stored', schema: stored } },
    errors: [...writing, 'keys_exist'],
  }),
  updateValue: route({
    id: 'updateValue',
    method: 'put',
    path: KEY,
    tag,
    summary: 'Update existing key',
    description: 'Answers 404 when the key does not exist, unless `upsert`. Honours If-Match.',
    access: { area: 'cache', verb: 'write' },
    headers: IF_MATCH_HEADER,
    params: one,
    query: singleQuery.extend({
      upsert: queryFlag.meta({ type: 'boolean', description: 'Create when absent' }),
    }),
    body: { schema: valueBody, carried: ['value'], acceptsText: true },
    replies: {
      200: { description: 'Updated', schema: stored },
      201: { description: 'Created (upsert)', schema: stored },
    },
    errors: [...writing, 'key_not_found', 'key_exists', 'etag_mismatch'],
  }),
  deleteValue: route({
    id: 'deleteValue',
    method: 'delete',
    path: KEY,
    tag,
    summary: 'Delete a key',
    access: { area: 'cache', verb: 'delete' },
    headers: IF_MATCH_HEADER,
    params: one,
    query: z.object({ ignore_missing: queryFlag }),
    replies: {
      200: { description: 'Deleted', schema: z.object({ key, success: z.boolean() }) },
    },
    errors: [...always, 'key_invalid', 'key_not_found', 'etag_mismatch'],
  }),
};
