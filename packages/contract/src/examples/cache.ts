/** This file owns the examples of cache services, the published page's own where it has one. */
import type { Examples } from '../example.ts';
import type { cache as cacheRoutes } from '../routes/cache.ts';
import type { cacheOperations as operationRoutes } from '../routes/cache-operations.ts';

const service = 'redis';
const key = 'user:123:profile';
const value = { name: 'John Doe', email: 'john@example.com' };
const stored = { key, success: true } as const;

export const cacheExamples: Examples<typeof cacheRoutes & typeof operationRoutes> = {
  storeValues: {
    params: { service },
    body: { resource: [{ key, value, ttl: 3600 }] },
    status: 201,
    reply: { resource: [stored] },
  },
  replaceValues: {
    params: { service },
    body: {
      resource: [
        { key: 'setting:theme', value: 'dark', ttl: 86400 },
        { key: 'setting:language', value: 'en', ttl: 86400 },
      ],
    },
    reply: {
      resource: [
        { key: 'setting:theme', success: true },
        { key: 'setting:language', success: true },
      ],
    },
  },
  createValue: {
    params: { service, key: 'user:124:profile' },
    body: { value: { name: 'Ada' }, ttl: 3600 },
    reply: { key: 'user:124:profile', success: true },
  },
  updateValue: { params: { service, key }, body: { value, ttl: 3600 }, reply: stored },
  patchValue: {
    params: { service, key },
    body: { ttl: 1800, merge: { email: 'john.doe@example.com' } },
    reply: stored,
  },
  readValue: {
    params: { service, key },
    reply: { key, value: { name: 'John Doe', email: 'john.doe@example.com' } },
  },
  readKeys: {
    params: { service },
    query: { prefix: 'user:', limit: '100' },
    reply: { resource: [{ key }, { key: 'user:124:profile' }] },
  },
  readMany: {
    params: { service },
    body: { resource: [{ key: 'setting:theme' }, { key: 'setting:font' }] },
    reply: {
      resource: [
        { key: 'setting:theme', value: 'dark' },
        { key: 'setting:font', exists: false },
      ],
    },
  },
  incrementValue: {
    params: { service },
    body: { key: 'visits', by: 1, ttl: 3600, max: 1000 },
    reply: { key: 'visits', value: 1, applied: 1, ttl: 3600 },
  },
  leaseValue: {
    params: { service },
    body: { key: 'report', lease_ms: 30_000, wait_ms: 1_000 },
    reply: { key: 'report', state: 'granted', lease: '$CACHE_LEASE', expires_in_ms: 30_000 },
  },
  renewLease: {
    params: { service },
    body: { key: 'report', lease: '$CACHE_LEASE', lease_ms: 30_000 },
    reply: { key: 'report', success: true },
  },
  fillValue: {
    params: { service },
    body: { key: 'report', lease: '$CACHE_LEASE', value: { total: 42 }, ttl: 60, tags: ['reports'] },
    reply: { key: 'report', success: true },
  },
  releaseLease: {
    params: { service },
    body: { key: 'report', lease: '$CACHE_LEASE', cooling_ms: 1_000 },
    reply: { key: 'report', success: true },
  },
  purgeTags: {
    params: { service },
    body: { tags: ['reports'] },
    reply: { success: true, purged: 1 },
  },
  cacheStats: {
    params: { service },
    reply: { driver: 'redis', process: { hits: 3, misses: 1 }, redis: { evicted_keys: 0 } },
  },
  cacheSpec: {
    params: { service },
    reply: { openapi: '3.1.0', info: { title: 'redis', version: '0.1.0' }, paths: {} },
  },
  deleteValue: { params: { service, key }, reply: stored },
  flushCache: {
    params: { service },
    query: { prefix: 'setting:' },
    reply: { success: true, deleted: 2 },
  },
};
