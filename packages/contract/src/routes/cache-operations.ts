/** This file owns the routes beside a cache service's keys: partial changes, counters, leases, tags, statistics. */
import { MAX_BATCH_KEYS, MAX_KEY_BYTES, MAX_LEASE_MS, MAX_TAG_BYTES, MAX_TAGS } from '@sluice/cache/schemas';
import { z } from 'zod';
import { carriedJson } from '../carried.ts';
import { IF_MATCH_HEADER } from '../headers.ts';
import { queryFlag } from '../query.ts';
import { route } from '../route.ts';

const OPS = '/api/v2/{service}/_ops';
const tag = 'cache operations';
/** Longest that a lease call waits for another caller's fill. */
export const MAX_LEASE_WAIT_MS = 30_000;

const service = z.string().meta({ description: 'Name of the cache service', example: 'redis' });
const params = z.object({ service });
const key = z.string().max(MAX_KEY_BYTES).meta({ example: 'user:123:profile' });
const ttl = z
  .union([z.int(), z.string()])
  .optional()
  .meta({ description: 'Seconds; 0 no expiration; -1 or absent the default of the service', example: 3600 });
const seconds = z.int().meta({ description: 'Seconds left; 0 no expiration' });
const value = z.unknown().meta({ description: 'Any JSON, as it was stored' });
const tags = z.array(z.string().min(1).max(MAX_TAG_BYTES)).max(MAX_TAGS);
const grace = z
  .int()
  .min(0)
  .optional()
  .meta({ description: 'Seconds after the ttl in which it is served as stale' });
const lease = z.string().max(100).meta({ description: 'As a lease call answered it' });
const leaseMs = z.int().min(100).max(MAX_LEASE_MS).default(5_000);
const done = z.object({ key, success: z.literal(true) });

const always = ['service_unknown', 'cache_unavailable', 'storage_busy'] as const;
const filling = [
  ...always,
  'key_invalid',
  'ttl_invalid',
  'value_too_large',
  'tag_invalid',
  'cache_lease_lost',
] as const;

export const cacheOperations = {
  patchValue: route({
    id: 'patchValue',
    method: 'patch',
    path: '/api/v2/{service}/{key}',
    tag: 'cache',
    summary: 'Change a part: ttl, tags, or members of the value',
    description:
      'As `application/merge-patch+json` (or with `merge=true`) the body is a JSON Merge Patch of the value (RFC 7396); members it does not name stay as they were written. Else it is `{"ttl", "tags", "merge"}`. Honours If-Match.',
    access: { area: 'cache', verb: 'write' },
    headers: IF_MATCH_HEADER,
    params: z.object({ service, key: z.string() }),
    query: z.object({ merge: queryFlag.meta({ type: 'boolean', description: 'The body is a merge patch' }) }),
    body: {
      schema: z
        .custom<unknown>(() => true)
        .meta({
          type: 'object',
          properties: {
            ttl: { type: 'integer' },
            tags: { type: 'array', items: { type: 'string' } },
            merge: { description: 'JSON Merge Patch' },
          },
          examples: [{ ttl: 60 }],
        }),
      carried: ['merge'],
    },
    replies: { 200: { description: 'Changed', schema: done } },
    errors: [
      ...always,
      'key_invalid',
      'key_not_found',
      'ttl_invalid',
      'tag_invalid',
      'value_too_large',
      'etag_mismatch',
    ],
  }),
  readMany: route({
    id: 'readMany',
    method: 'post',
    path: `${OPS}/mget`,
    tag,
    summary: 'Read many keys in one round trip',
    access: { area: 'cache', verb: 'read' },
    params,
    body: {
      schema: z.strictObject({ resource: z.array(z.object({ key })).min(1).max(MAX_BATCH_KEYS) }),
      bound: 'batch',
    },
    replies: {
      200: {
        description: 'In the order asked',
        schema: z.object({
          resource: z.array(z.union([z.object({ key, value }), z.object({ key, exists: z.literal(false) })])),
        }),
      },
    },
    errors: [...always, 'key_invalid'],
  }),
  incrementValue: route({
    id: 'incrementValue',
    method: 'post',
    path: `${OPS}/incr`,
    tag,
    summary: 'Add to a whole number in one step',
    description:
      'Begins at 0; the ttl counts from there and is not renewed by later steps. A sum outside `min` and `max` is not made, and `applied` is 0 then.',
    access: { area: 'cache', verb: 'write' },
    params,
    body: {
      schema: z.strictObject({
        key,
        by: z.int().default(1),
        ttl,
        min: z.int().optional(),
        max: z.int().optional(),
      }),
    },
    replies: {
      200: {
        description: 'The number after the step',
        schema: z.object({ key, value: z.int(), applied: z.int(), ttl: seconds }),
      },
    },
    errors: [...always, 'key_invalid', 'ttl_invalid', 'not_an_integer'],
  }),
  leaseValue: route({
    id: 'leaseValue',
    method: 'post',
    path: `${OPS}/lease`,
    tag,
    summary: 'Get a value, or the right to fill it',
    description:
      'Of many callers one is `granted` the lease and fills; the others get the stale value at once, or wait up to `wait_ms`. A holder that dies is replaced when `lease_ms` is over.',
    access: { area: 'cache', verb: 'write' },
    params,
    body: {
      schema: z.strictObject({
        key,
        lease_ms: leaseMs,
        wait_ms: z.int().min(0).max(MAX_LEASE_WAIT_MS).default(0),
        tags: tags.default([]).meta({ description: 'Tags of the fill: a purge after this call voids it' }),
      }),
    },
    replies: {
      200: {
        description:
          '`hit` the value is fresh; `granted` fill it; `held` another fills; `cooling` a fill has just failed; `missing` there is nothing to fill with',
        schema: z.object({
          key,
          state: z.enum(['hit', 'granted', 'held', 'cooling', 'missing']),
          lease: lease.optional(),
          value: value.optional(),
          stale: z.literal(true).optional(),
          expires_in_ms: z.int().optional().meta({ description: 'How long the state stands' }),
        }),
      },
    },
    errors: [...always, 'key_invalid', 'tag_invalid'],
    isLongPoll: true,
  }),
  fillValue: route({
    id: 'fillValue',
    method: 'post',
    path: `${OPS}/fill`,
    tag,
    summary: 'Store under a lease, which ends',
    access: { area: 'cache', verb: 'write' },
    params,
    body: {
      schema: z.strictObject({ key, lease, value: carriedJson, ttl, tags: tags.optional(), grace }),
      carried: ['value'],
    },
    replies: { 200: { description: 'Stored', schema: done } },
    errors: filling,
  }),
  renewLease: route({
    id: 'renewLease',
    method: 'post',
    path: `${OPS}/renew`,
    tag,
    summary: 'Keep a lease while the value is made',
    access: { area: 'cache', verb: 'write' },
    params,
    body: { schema: z.strictObject({ key, lease, lease_ms: leaseMs }) },
    replies: { 200: { description: 'Renewed', schema: done } },
    errors: [...always, 'key_invalid', 'cache_lease_lost'],
  }),
  releaseLease: route({
    id: 'releaseLease',
    method: 'post',
    path: `${OPS}/release`,
    tag,
    summary: 'Give a lease back without a value',
    access: { area: 'cache', verb: 'write' },
    params,
    body: {
      schema: z.strictObject({
        key,
        lease,
        missing_ms: z.int().min(0).max(MAX_LEASE_MS).optional().meta({
          description: 'There is nothing: the entry goes, and others are told so for this long',
        }),
        cooling_ms: z.int().min(0).max(MAX_LEASE_MS).optional().meta({
          description: 'The fill failed: nobody gets the lease for this long',
        }),
      }),
    },
    replies: { 200: { description: 'Given back', schema: done } },
    errors: [...always, 'key_invalid', 'cache_lease_lost'],
  }),
  purgeTags: route({
    id: 'purgeTags',
    method: 'post',
    path: `${OPS}/purge-tags`,
    tag,
    summary: 'Void every entry that bears one of these tags',
    description: 'One step a tag, however many entries bear it. Needs `cache:delete` for the whole service.',
    access: { area: 'cache', verb: 'delete' },
    params,
    body: { schema: z.strictObject({ tags: tags.min(1) }) },
    replies: {
      200: {
        description: 'Void; `purged` is how many of the tags were in use',
        schema: z.object({ success: z.literal(true), purged: z.int() }),
      },
    },
    errors: [...always, 'tag_invalid'],
  }),
  cacheStats: route({
    id: 'cacheStats',
    method: 'get',
    path: `${OPS}/stats`,
    tag,
    summary: 'Hits, misses, evictions, memory',
    access: { area: 'cache', verb: 'read' },
    params,
    replies: {
      200: {
        description:
          '`process` since this API process began; `redis` the whole server, null for a service on disk',
        schema: z.object({
          driver: z.enum(['redis', 'file']),
          process: z.record(z.string(), z.int()),
          redis: z.record(z.string(), z.int()).nullable(),
        }),
      },
    },
    errors: always,
  }),
  cacheSpec: route({
    id: 'cacheSpec',
    method: 'get',
    path: '/api/v2/{service}/_spec',
    tag,
    summary: 'OpenAPI document of this service',
    access: { area: 'cache', verb: 'read' },
    params,
    replies: { 200: { description: 'OpenAPI 3.1', schema: z.record(z.string(), z.unknown()) } },
    errors: ['service_unknown'],
  }),
};
