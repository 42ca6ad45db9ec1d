/** This file owns the answers beside a cache service's keys: partial changes, counters, leases, tags, statistics. */
import { type CacheEntry, type Changes, type Lending, readTtl } from '@sluice/cache';
import { type ErrorCode, type RouteDeclaration, routes } from '@sluice/contract';
import { DomainError, JsonText } from '@sluice/runtime';
import type { CacheService, CacheServices } from '../cache-services.ts';
import type { Call, Handlers } from '../http/call.ts';
import { json, jsonText } from '../http/reply.ts';
import { type CallerCache, onKey, onService } from './cache-call.ts';
import { ifMatchOf } from './cache-conditions.ts';
import { readAll } from './cache-reads.ts';

type OperationRoutes = Pick<
  typeof routes,
  | 'patchValue'
  | 'readMany'
  | 'incrementValue'
  | 'leaseValue'
  | 'fillValue'
  | 'renewLease'
  | 'releaseLease'
  | 'purgeTags'
  | 'cacheStats'
  | 'cacheSpec'
>;

/** `stopping` ends waits for a lease. */
export function cacheOperationHandlers(options: {
  services: CacheServices;
  stopping: AbortSignal;
  version: string;
}): Handlers<OperationRoutes> {
  const { services, stopping, version } = options;
  const specs = new WeakMap<CacheService, string>();
  return {
    patchValue: onKey(services, 'write', async (call, { cache }, key) => {
      await cache.patch(key, changesOf(call), { ifMatch: ifMatchOf(call) });
      return json(200, { key, success: true });
    }),
    readMany: onService(services, (call, caller) => {
      const keys = call.body.resource.map(({ key }) => key);
      return readAll(keys, {}, caller);
    }),
    incrementValue: onService(services, async ({ body }, caller) => {
      const { key, by, ttl, min, max } = body;
      caller.require('write', key);
      const options = {
        by,
        ttl: readTtl(ttl),
        ...(min !== undefined && { min }),
        ...(max !== undefined && { max }),
      };
      const { value, applied, ttlMs } = await caller.cache.increment(key, options);
      return json(200, {
        key,
        value,
        applied,
        ttl: ttlMs === null ? 0 : Math.max(1, Math.ceil(ttlMs / 1_000)),
      });
    }),
    leaseValue: onService(services, async (call, caller) => {
      const { key, lease_ms: leaseMs, wait_ms: waitMs, tags } = call.body;
      requireBoth(caller, key);
      const lending = await caller.cache.leases.lend(key, { leaseMs, waitMs, tags, signal: stopping });
      return jsonText(200, lendingText(key, lending));
    }),
    fillValue: onService(services, async ({ body }, caller) => {
      const { key, lease, value, ttl, tags, grace } = body;
      caller.require('write', key);
      await caller.cache.leases.fill(key, lease, value, { ttl: readTtl(ttl), tags, graceSeconds: grace });
      return json(200, { key, success: true });
    }),
    renewLease: onService(services, async ({ body }, caller) => {
      caller.require('write', body.key);
      await caller.cache.leases.renew(body.key, body.lease, body.lease_ms);
      return json(200, { key: body.key, success: true });
    }),
    releaseLease: onService(services, async ({ body }, caller) => {
      const { key, lease, missing_ms: missingMs, cooling_ms: coolingMs } = body;
      caller.require('write', key);
      const word = missingMs !== undefined ? 'missing' : coolingMs !== undefined ? 'cooling' : 'none';
      await caller.cache.leases.giveBack(key, lease, { word, forMs: missingMs ?? coolingMs ?? 0 });
      return json(200, { key, success: true });
    }),
    purgeTags: onService(services, async ({ body }, caller) => {
      caller.requirePrefix('delete', '');
      return json(200, { success: true, purged: await caller.cache.purgeTags(body.tags) });
    }),
    cacheStats: onService(services, async (_, { cache }) => {
      const figures = await cache.figures();
      return json(200, {
        driver: cache.driver,
        process: snakeCased(cache.stats),
        redis: figures && snakeCased(figures),
      });
    }),
    cacheSpec: onService(services, async (_, { cache, service }) => {
      let spec = specs.get(service);
      if (spec === undefined) {
        spec = await specOf(cache.name, service.config.label, version);
        specs.set(service, spec);
      }
      return jsonText(200, spec);
    }),
  };
}

/** A merge patch as such by its media type or `?merge`; else the changes by name. */
function changesOf(call: Call<OperationRoutes['patchValue']>): Changes {
  const isPatch = /^\s*application\/merge-patch\+json/i.test(call.header('content-type') ?? '');
  if (isPatch || call.query.merge) return { merge: new JsonText((call.bodyText ?? '').trim()) };
  const { body } = call;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw noChanges();
  const { ttl, tags, merge, ...others } = body as { ttl?: unknown; tags?: unknown; merge?: JsonText };
  const isNamed = ttl !== undefined || tags !== undefined || merge !== undefined;
  if (!isNamed || Object.keys(others).length > 0) throw noChanges();
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))) {
    throw new DomainError<ErrorCode>('tag_invalid', '`tags` is a list of texts.');
  }
  return { ttl: readTtl(ttl), tags, merge };
}

function noChanges(): DomainError<ErrorCode> {
  return new DomainError(
    'input_invalid',
    'A change names `ttl`, `tags` or `merge` and nothing else; a bare merge patch is sent as application/merge-patch+json.',
  );
}

/** Whoever may fill gets to see what is there. */
function requireBoth(caller: CallerCache, key: string): void {
  caller.require('write', key);
  caller.require('read', key);
}

function lendingText(key: string, lending: Lending): string {
  const entry: CacheEntry | undefined = lending.entry;
  const told = {
    key,
    state: lending.state,
    ...(lending.state === 'granted' && { lease: lending.token }),
    ...(lending.state !== 'hit' && { expires_in_ms: lending.leftMs }),
    ...(entry?.isStale && { stale: true }),
  };
  const text = JSON.stringify(told);
  return entry ? `${text.slice(0, -1)},"value":${entry.text}}` : text;
}

function snakeCased(figures: object): Record<string, number> {
  const named = Object.entries(figures).map(([name, figure]) => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    figure as number,
  ]);
  return Object.fromEntries(named);
}

/** The cache's routes with this service's name in their paths. */
async function specOf(name: string, label: string, version: string): Promise<string> {
  const all: readonly RouteDeclaration[] = Object.values(routes);
  const own = all
    .filter(({ path }) => path.startsWith('/api/v2/{service}'))
    .map((declaration) => ({
      ...declaration,
      path: declaration.path.replace('{service}', name),
      ...(declaration.params && { params: declaration.params.omit({ service: true }) }),
    }));
  // Loaded by the first who asks: the generator is larger than all the rest here.
  const { openApiDocument } = await import('@sluice/contract/openapi');
  return JSON.stringify(
    openApiDocument(own, { title: label, version, description: `Cache service ${name}` }, { service: name }),
  );
}
