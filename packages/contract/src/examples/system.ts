/** This file owns the examples of what operators change at run time, and of the state of the process. */
import type { Examples } from '../example.ts';
import type { health as healthRoutes } from '../routes/health.ts';
import type { systemKeys as keyRoutes } from '../routes/system-keys.ts';
import type { systemLimits as limitRoutes } from '../routes/system-limits.ts';
import type { systemServices as serviceRoutes } from '../routes/system-services.ts';

export const at = '2026-01-01T00:00:00.000Z';
const author = { kind: 'key' as const, id: 'a1B2c3D4e5F6', label: 'first key' };
export const history = {
  origin: 'system' as const,
  version: 1,
  created_date: at,
  created_by: author,
  last_modified_date: at,
  last_modified_by: author,
  mutable: true,
  deletable: true,
};
const orders = { params: { name: 'orders' } };
const given = {
  name: 'orders',
  label: 'Orders Cache',
  description: 'Cached orders',
  type: 'cache_redis',
  config: { default_ttl: 60 },
};
const service = {
  ...given,
  is_active: true,
  ...history,
  problem: null,
  config: {
    default_ttl: 60,
    has_password: false,
    options: { unavailable_status: 500, post_status: 201 },
  },
};
const tested = {
  reachable: true,
  authenticated: true,
  latency_ms: 0.2,
  server_version: '7.2.0',
  fault: null,
  warnings: [],
};
const mail = { params: { name: 'mail' } };
const limits = { name: 'mail', algorithm: 'sliding', limit: 100, period: 'hour' };
const policy = { ...limits, ...history };
const ofKey = { params: { id: '$KEY_ID' } };
const rights = { label: 'shop', scopes: ['jobs:enqueue:mail', 'cache:read:redis/product:*'] };
const quota = { requests: { limit: 100_000, period: 'day' as const }, payload_bytes: 65_536 };
const apiKey = {
  id: '$KEY_ID',
  ...rights,
  is_active: true,
  quota,
  version: 1,
  origin: 'made' as const,
  created_at: at,
  expires_at: '2099-01-31T00:00:00.000Z',
  revoked_at: null,
  replaced_by: null,
  last_used_at: null,
};
const minted = { ...apiKey, key: 'sk_…' };

export const systemExamples: Examples<
  typeof healthRoutes & typeof serviceRoutes & typeof limitRoutes & typeof keyRoutes
> = {
  livez: { reply: { status: 'ok' } },
  readyz: { reply: { status: 'ready', redis: [{ role: 'cache', status: 'up' }], warnings: [] } },
  metrics: {
    reply:
      '# HELP sluice_jobs Jobs by queue and state\n# TYPE sluice_jobs gauge\nsluice_jobs{queue="demo",state="waiting"} 0\n',
  },
  createServices: { body: { resource: [given] }, reply: { resource: [service] } },
  listServices: { reply: { resource: [service] } },
  getService: { ...orders, reply: service },
  testService: { body: { config: { host: '127.0.0.1', port: 6379 } }, reply: tested },
  testStoredService: { ...orders, reply: tested },
  patchService: {
    ...orders,
    body: { config: { default_ttl: 30 } },
    reply: { ...service, version: 2, config: { ...service.config, default_ttl: 30 } },
  },
  replaceService: { ...orders, body: given, reply: { ...service, version: 3 } },
  createPolicies: { body: { resource: [limits] }, reply: { resource: [policy] } },
  listPolicies: { reply: { resource: [policy] } },
  getPolicy: { ...mail, reply: policy },
  patchPolicy: { ...mail, body: { limit: 200 }, reply: { ...policy, limit: 200, version: 2 } },
  replacePolicy: { ...mail, body: limits, reply: { ...policy, version: 3 } },
  createKey: { body: { ...rights, expires_at: '2099-01-31T00:00:00Z', quota }, reply: minted },
  listKeys: { reply: { resource: [apiKey] } },
  getKey: { ...ofKey, reply: apiKey },
  updateKey: {
    ...ofKey,
    body: { label: 'web shop', quota: null },
    reply: { ...apiKey, label: 'web shop', quota: null, version: 2 },
  },
  rotateKey: { ...ofKey, body: { overlap: 3_600 }, reply: minted },
  readTrail: {
    query: { limit: '10' },
    reply: {
      resource: [
        {
          id: '1767225600000-0',
          at,
          author,
          action: 'service.create',
          target: 'service:orders',
          request_id: '0b1f…',
          before: null,
          after: { name: 'orders' },
        },
      ],
      meta: {},
    },
  },
  removeService: { ...orders, query: { flush: 'true' }, reply: { name: 'orders', success: true } },
  removePolicy: { ...mail, reply: { name: 'mail', success: true } },
  revokeKey: { ...ofKey, reply: { ...apiKey, version: 2, revoked_at: at } },
};
