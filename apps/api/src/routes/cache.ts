/** This file owns the table of a cache service's handlers: which call of the domain each route is. */
import { keyNotFound } from '@sluice/cache';
import type { routes } from '@sluice/contract';
import type { CacheServices } from '../cache-services.ts';
import type { Handlers } from '../http/call.ts';
import { json } from '../http/reply.ts';
import { onKey, onService } from './cache-call.ts';
import { ifMatchOf } from './cache-conditions.ts';
import { listOrRead, readOne } from './cache-reads.ts';
import { flushOrDelete } from './cache-removals.ts';
import { store, valueItem } from './cache-writes.ts';

type CacheRoutes = Pick<
  typeof routes,
  | 'readKeys'
  | 'storeValues'
  | 'replaceValues'
  | 'flushCache'
  | 'readValue'
  | 'createValue'
  | 'updateValue'
  | 'deleteValue'
>;

/** `maxBatchItems` bounds the items of one body and the keys of one query. */
export function cacheHandlers(options: {
  services: CacheServices;
  maxBatchItems: number;
}): Handlers<CacheRoutes> {
  const { services, maxBatchItems } = options;
  return {
    readKeys: onService(services, (call, caller) => listOrRead(call, caller, maxBatchItems)),
    storeValues: onService(services, (call, caller) => {
      const status = caller.service.config.options.postStatus;
      return store(call, caller, { maxBatchItems, status, isMapNew: true });
    }),
    replaceValues: onService(services, (call, caller) =>
      store(call, caller, { maxBatchItems, status: 200, isMapNew: false }),
    ),
    flushCache: onService(services, (call, caller) => flushOrDelete(call, caller, maxBatchItems)),
    readValue: onKey(services, 'read', readOne),
    createValue: onKey(services, 'write', async (call, { cache }, key) => {
      await cache.addAll([valueItem(call, key)]);
      return json(201, { key, success: true });
    }),
    updateValue: onKey(services, 'write', async (call, { cache }, key) => {
      const { value, ...set } = valueItem(call, key);
      if (call.query.upsert && !set.when && !set.ifMatch && set.ttl !== 'keep') {
        const outcome = await cache.upsert(key, value, { ttl: set.ttl });
        return json(outcome === 'created' ? 201 : 200, { key, success: true });
      }
      await cache.set(key, value, { ...set, when: set.ifMatch ? undefined : (set.when ?? 'present') });
      return json(set.when === 'absent' ? 201 : 200, { key, success: true });
    }),
    deleteValue: onKey(services, 'delete', async (call, { cache }, key) => {
      const wasThere = await cache.delete(key, { ifMatch: ifMatchOf(call) });
      if (!wasThere && !call.query.ignore_missing) throw keyNotFound(key);
      return json(200, { key, success: wasThere });
    }),
  };
}
