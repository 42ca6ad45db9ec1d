/** This file owns the cache services as a worker uses them: by name, each where the services file says. */
import { join } from 'node:path';
import { Cache, type CacheDriver, FileDriver, RedisDriver } from '@sluice/cache';
import { keyspace, type RedisConfig, redisIdentity, type ServiceConfig } from '@sluice/config';
import { close, connect, type RedisClient } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';

export interface CachesOptions {
  services: readonly ServiceConfig[];
  prefix: string;
  dataDirectory: string;
  log: Log;
}

export class Caches implements Service {
  readonly name = 'caches';
  readonly byName: ReadonlyMap<string, Cache>;
  readonly #drivers: CacheDriver[] = [];
  readonly #options: CachesOptions;
  /** One client for all services of one Redis. */
  readonly #clients = new Map<string, RedisClient>();

  constructor(options: CachesOptions) {
    this.#options = options;
    const active = options.services.filter(({ isActive }) => isActive);
    this.byName = new Map(active.map((service) => [service.name, this.#open(service)]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#drivers.map((driver) => driver.stop()));
    await Promise.all([...this.#clients.values()].map((client) => close(client)));
  }

  #open({ name, redis, defaultTtlMinutes, options }: ServiceConfig): Cache {
    const driver = redis
      ? new RedisDriver({
          client: this.#client(redis),
          keyspace: keyspace(this.#options.prefix, { isCluster: redis.kind === 'cluster' }),
          service: name,
        })
      : new FileDriver({ folder: join(this.#options.dataDirectory, 'cache'), service: name });
    this.#drivers.push(driver);
    return new Cache({ name, driver, defaultTtlMinutes, maxValueBytes: options.maxValueBytes });
  }

  /** Profile `request`: while a cache's Redis is away its jobs fail their attempt and are tried again. */
  #client(config: RedisConfig): RedisClient {
    const identity = redisIdentity(config);
    const known = this.#clients.get(identity);
    if (known) return known;
    const client = connect({ config, profile: 'request', name: 'worker:cache', log: this.#options.log });
    this.#clients.set(identity, client);
    return client;
  }
}
