/** This file owns the cache services of this API: which there are, and the cache of each. */
import { type Cache, openCache, type Premises } from '@sluice/cache';
import type { ServiceConfig } from '@sluice/config';
import type { ErrorCode } from '@sluice/contract';
import type { RedisClient } from '@sluice/redis';
import { DomainError, type Service } from '@sluice/runtime';

export interface CacheService {
  readonly config: ServiceConfig;
  readonly cache: Cache;
  /** `undefined` for a service on disk. */
  readonly client: RedisClient | undefined;
}

export class CacheServices implements Service {
  readonly name = 'cache services';
  readonly #premises: Premises;
  readonly #services = new Map<string, CacheService>();

  constructor(options: { configs: readonly ServiceConfig[]; premises: Premises }) {
    this.#premises = options.premises;
    for (const config of options.configs) this.open(config);
  }

  /** Throws `service_unknown`, or `forbidden` when the service is switched off. `name` in lower case. */
  find(name: string): CacheService {
    const service = this.#services.get(name);
    if (!service) throw new DomainError<ErrorCode>('service_unknown', `Could not find a service for ${name}`);
    if (!service.config.isActive)
      throw new DomainError<ErrorCode>('forbidden', `Service ${name} is deactivated.`);
    return service;
  }

  all(): CacheService[] {
    return [...this.#services.values()];
  }

  /** Adds a service; one of the same name must have been closed before. */
  open(config: ServiceConfig): void {
    let client: RedisClient | undefined;
    const connect: Premises['connect'] = (redis, service) => {
      client = this.#premises.connect(redis, service);
      return client;
    };
    const cache = openCache(config, { ...this.#premises, connect });
    this.#services.set(config.name, { config, cache, client });
  }

  async close(name: string): Promise<void> {
    const service = this.#services.get(name);
    this.#services.delete(name);
    await service?.cache.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(this.all().map(({ cache }) => cache.stop()));
  }
}
