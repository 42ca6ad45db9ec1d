/** This file owns the cache services as a worker uses them: by name, each where the services file or a record made at run time says. */
import { type Cache, openCache } from '@sluice/cache';
import { type RedisConfig, redisIdentity, type ServiceConfig } from '@sluice/config';
import { close, connect, type Profile, type RedisClient, untilReady } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';
import { type Registry, type ServiceSecrets, serviceConfigOf } from '@sluice/system';

export interface CachesOptions {
  services: readonly ServiceConfig[];
  registry: Registry;
  secrets: ServiceSecrets;
  prefix: string;
  dataDirectory: string;
  maxValueBytes: number;
  log: Log;
}

const MAX_OPENING_MS = 2_000;

interface Opened {
  cache: Cache;
  /** Of its record; `undefined`: it is configured. */
  version: number | undefined;
  /** Its own, closed with it. */
  clients: RedisClient[];
}

export class Caches implements Service {
  readonly name = 'caches';
  readonly #options: CachesOptions;
  readonly #configured: ReadonlySet<string>;
  readonly #opened = new Map<string, Opened>();
  /** One client for all configured services of one Redis. */
  readonly #shared = new Map<string, RedisClient>();
  #isStarted = false;

  constructor(options: CachesOptions) {
    this.#options = options;
    this.#configured = new Set(options.services.map(({ name }) => name));
    for (const service of options.services) if (service.isActive) this.#open(service, undefined);
    options.registry.onChange(() => this.#follow());
  }

  /**
   * The cache of a service that is switched on, `undefined` when there is none. One that was made a moment ago is found:
   * Redis is asked before a name is called unknown. Throws until the records have been read once. `name` in lower case.
   */
  async find(name: string): Promise<Cache | undefined> {
    const { registry } = this.#options;
    if (!this.#opened.has(name)) await registry.refresh();
    if (!this.#opened.has(name) && !registry.isLoaded)
      throw new Error(`it is not known yet whether there is a cache service named '${name}'`);
    const opened = this.#opened.get(name);
    // One that was made a moment ago connects just now; a Redis that does not answer fails the attempt.
    await Promise.all((opened?.clients ?? []).map((client) => untilReady(client, MAX_OPENING_MS))).catch(
      () => undefined,
    );
    return opened?.cache;
  }

  /** Until Redis lets it listen, a cache that keeps entries near reads each from Redis. */
  start(): void {
    this.#isStarted = true;
    for (const [service, { cache }] of this.#opened) this.#listen(service, cache);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#opened.values()].map((opened) => shut(opened)));
    await Promise.all([...this.#shared.values()].map((client) => close(client)));
  }

  /** A job that holds a cache which is shut under it fails its attempt, and finds the new one at the next. */
  #follow(): void {
    const { registry, secrets, log } = this.#options;
    const records = registry.list('service').filter(({ name }) => !this.#configured.has(name));
    for (const [name, opened] of this.#opened) {
      const { version } = opened;
      if (
        version === undefined ||
        records.some((record) => record.name === name && record.version === version)
      )
        continue;
      this.#opened.delete(name);
      shut(opened).catch((error: unknown) => log.warn({ service: name, error }, 'cache service not closed'));
    }
    for (const record of records) {
      if (this.#opened.has(record.name)) continue;
      try {
        const config = serviceConfigOf(record, secrets);
        if (config.isActive) this.#open(config, record.version);
      } catch (error) {
        log.error({ service: record.name, error }, 'cache service cannot be used');
      }
    }
  }

  #open(config: ServiceConfig, version: number | undefined): void {
    const { prefix, dataDirectory, maxValueBytes, secrets } = this.#options;
    const clients: RedisClient[] = [];
    const client = (redis: RedisConfig, profile: Profile) => {
      if (version === undefined || redis === secrets.roles.redis.cache)
        return this.#sharedClient(redis, profile);
      const own = this.#connect(redis, profile);
      clients.push(own);
      return own;
    };
    const cache = openCache(config, {
      prefix,
      dataDirectory,
      maxValueBytes,
      connect: (redis) => client(redis, 'request'),
      subscribe: (redis) => client(redis, 'subscriber'),
    });
    this.#opened.set(config.name, { cache, version, clients });
    if (this.#isStarted) this.#listen(config.name, cache);
  }

  #listen(service: string, cache: Cache): void {
    cache.start().catch((error: unknown) => {
      this.#options.log.warn({ service, err: error }, 'cache keeps nothing near');
    });
  }

  #sharedClient(config: RedisConfig, profile: Profile): RedisClient {
    const identity = `${profile} ${redisIdentity(config)}`;
    const client = this.#shared.get(identity) ?? this.#connect(config, profile);
    this.#shared.set(identity, client);
    return client;
  }

  /** Profile `request`: while a cache's Redis is away its jobs fail their attempt and are tried again. */
  #connect(config: RedisConfig, profile: Profile): RedisClient {
    return connect({ config, profile, name: `worker:cache-${profile}`, log: this.#options.log });
  }
}

async function shut({ cache, clients }: Opened): Promise<void> {
  await cache.stop();
  await Promise.all(clients.map((client) => close(client)));
}
