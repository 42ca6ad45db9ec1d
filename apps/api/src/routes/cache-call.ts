/** This file owns what the handlers of cache services share: which service and key, who may, and what a fault of the service's store is called. */
import { type Cache, checkKey } from '@sluice/cache';
import type { ErrorCode, RouteDeclaration } from '@sluice/contract';
import { outageOf, redisFault } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { CacheService, CacheServices } from '../cache-services.ts';
import type { Call, Principal } from '../http/call.ts';
import { UnavailableStatus } from '../http/failure.ts';
import type { Reply } from '../http/reply.ts';
import { cacheTarget, rawPath } from '../http/target.ts';

export type CacheVerb = 'read' | 'write' | 'delete' | 'flush';

/** A cache service as this caller sees it. */
export class CallerCache {
  readonly cache: Cache;
  readonly service: CacheService;
  readonly #principal: Principal;

  constructor(service: CacheService, principal: Principal) {
    this.service = service;
    this.cache = service.cache;
    this.#principal = principal;
  }

  may(verb: CacheVerb, key: string): boolean {
    return this.#principal.grants.allows('cache', verb, `${this.cache.name}/${key}`);
  }

  /** Throws `forbidden`. */
  require(verb: CacheVerb, key: string): void {
    if (!this.may(verb, key)) throw forbidden(verb, `${this.cache.name}/${key}`);
  }

  /** Throws `forbidden` unless every key that begins with `prefix` is allowed. */
  requirePrefix(verb: CacheVerb, prefix: string): void {
    const resource = `${this.cache.name}/${prefix}`;
    if (!this.#principal.grants.allowsPrefix('cache', verb, resource)) throw forbidden(verb, `${resource}*`);
  }
}

/** A handler of `/api/v2/{service}`. */
export function onService<R extends RouteDeclaration>(
  services: CacheServices,
  handle: (call: Call<R>, caller: CallerCache) => Promise<Reply>,
): (call: Call<R>) => Promise<Reply> {
  return async (call) => {
    const service = services.find(cacheTarget(rawPath(call.target)).service);
    try {
      return await service.during(() => handle(call, new CallerCache(service, call.principal)));
    } catch (error) {
      throw named(error, service);
    }
  };
}

/** A handler of `/api/v2/{service}/{key}`, which needs `verb` for the key. */
export function onKey<R extends RouteDeclaration>(
  services: CacheServices,
  verb: CacheVerb,
  handle: (call: Call<R>, caller: CallerCache, key: string) => Promise<Reply>,
): (call: Call<R>) => Promise<Reply> {
  return async (call) => {
    const target = cacheTarget(rawPath(call.target));
    const service = services.find(target.service);
    const key = target.key ?? '';
    checkKey(key);
    const caller = new CallerCache(service, call.principal);
    caller.require(verb, key);
    try {
      return await service.during(() => handle(call, caller, key));
    } catch (error) {
      throw named(error, service);
    }
  };
}

/** The published page's names for a cache whose Redis is away or refuses us; everything else as it is. */
function named(error: unknown, { config, client }: CacheService): unknown {
  if (error instanceof DomainError) return error;
  const fault = redisFault(error);
  if (fault?.kind !== 'unavailable' && fault?.kind !== 'auth') return error;
  // Without a connection a command says no more than that; the connection knows why.
  const kind = redisFault(client && outageOf(client))?.kind ?? fault.kind;
  const message = kind === 'auth' ? 'NOAUTH Authentication required' : 'Connection refused';
  return new DomainError<ErrorCode>('cache_unavailable', message, {
    details: { outcome: fault.outcome, fault: kind },
    cause: new UnavailableStatus(config.options.unavailableStatus, error),
  });
}

function forbidden(verb: CacheVerb, resource: string): DomainError<ErrorCode> {
  return new DomainError('forbidden', `This key lacks the scope cache:${verb} for '${resource}'.`, {
    details: { scope: `cache:${verb}` },
  });
}
