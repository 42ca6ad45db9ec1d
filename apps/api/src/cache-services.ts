/** This file owns the cache services of this API: which there are, and the cache of each. */
import { type Cache, openCache, type Premises } from '@sluice/cache';
import type { ServiceConfig } from '@sluice/config';
import type { ErrorCode } from '@sluice/contract';
import type { RedisClient } from '@sluice/redis';
import { DomainError, type Log, type Service } from '@sluice/runtime';

export interface CacheService {
  readonly config: ServiceConfig;
  readonly cache: Cache;
  /** `undefined` for a service on disk. */
  readonly client: RedisClient | undefined;
}

export class CacheServices implements Service {
  readonly name = 'cache services';
  readonly #premises: Premises;
  readonly #log: Log;
  readonly #services = new Map<string, CacheService>();
  #isStarted = false;

  constructor(options: { configs: readonly ServiceConfig[]; premises: Premises; log: Log }) {
    this.#premises = options.premises;
    this.#log = options.log;
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
    const opened = { config, cache, client };
    this.#services.set(config.name, opened);
    if (this.#isStarted) this.#listen(opened);
  }

  start(): void {
    this.#isStarted = true;
    for (const service of this.all()) this.#listen(service);
  }

  async close(name: string): Promise<void> {
    const service = this.#services.get(name);
    this.#services.delete(name);
    await service?.cache.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(this.all().map(({ cache }) => cache.stop()));
  }

  /** Until Redis lets it listen, a service that keeps entries near reads each from Redis. */
  #listen({ config, cache }: CacheService): void {
    cache.start().catch((error: unknown) => {
      this.#log.warn({ service: config.name, err: error }, 'cache keeps nothing near');
    });
  }
}
