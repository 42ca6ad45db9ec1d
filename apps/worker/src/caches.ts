/** This file owns the cache services as a worker uses them: by name, each where the services file says. */
import { type Cache, openCache } from '@sluice/cache';
import { type RedisConfig, redisIdentity, type ServiceConfig } from '@sluice/config';
import { close, connect, type Profile, type RedisClient } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';

export interface CachesOptions {
  services: readonly ServiceConfig[];
  prefix: string;
  dataDirectory: string;
  maxValueBytes: number;
  log: Log;
}

export class Caches implements Service {
  readonly name = 'caches';
  readonly byName: ReadonlyMap<string, Cache>;
  readonly #options: CachesOptions;
  /** One client for all services of one Redis. */
  readonly #clients = new Map<string, RedisClient>();

  constructor(options: CachesOptions) {
    this.#options = options;
    const active = options.services.filter(({ isActive }) => isActive);
    this.byName = new Map(active.map((service) => [service.name, this.#open(service)]));
  }

  /** Until Redis lets it listen, a cache that keeps entries near reads each from Redis. */
  start(): void {
    for (const [service, cache] of this.byName) {
      cache.start().catch((error: unknown) => {
        this.#options.log.warn({ service, err: error }, 'cache keeps nothing near');
      });
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.byName.values()].map((cache) => cache.stop()));
    await Promise.all([...this.#clients.values()].map((client) => close(client)));
  }

  #open(service: ServiceConfig): Cache {
    return openCache(service, {
      prefix: this.#options.prefix,
      dataDirectory: this.#options.dataDirectory,
      maxValueBytes: this.#options.maxValueBytes,
      connect: (config) => this.#client(config, 'request'),
      subscribe: (config) => this.#client(config, 'subscriber'),
    });
  }

  /** Profile `request`: while a cache's Redis is away its jobs fail their attempt and are tried again. */
  #client(config: RedisConfig, profile: Profile): RedisClient {
    const identity = `${profile} ${redisIdentity(config)}`;
    const known = this.#clients.get(identity);
    if (known) return known;
    const client = connect({ config, profile, name: `worker:cache-${profile}`, log: this.#options.log });
    this.#clients.set(identity, client);
    return client;
  }
}
