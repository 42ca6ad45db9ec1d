/** This file owns the cache services of this API: which there are, and the cache of each. */
import { type Cache, openCache, type Premises } from '@sluice/cache';
import type { RedisConfig, ServiceConfig } from '@sluice/config';
import type { ErrorCode } from '@sluice/contract';
import { close, type Profile, type RedisClient } from '@sluice/redis';
import { DomainError, type Log, type Service } from '@sluice/runtime';

/** Where clients come from. */
export interface CacheConnections {
  /** `isOptional`: this process is ready without it. */
  connect(redis: RedisConfig, service: string, profile: Profile, isOptional: boolean): RedisClient;
  /** True when the client was opened for this service alone, and is ours to close from now on. */
  detach(client: RedisClient): boolean;
}

/** A service made at run time, as its record has it: a configuration, or why there is none. */
export type RuntimeService = { name: string; version: number } & (
  | { config: ServiceConfig }
  | { problem: DomainError }
);

/** Longer than any request waits for a lease. */
const MAX_RETIREMENT_MS = 35_000;

/** Of the 2 s of a request; a Redis that is further away answers 500 until it is connected. */
const MAX_OPENING_MS = 1_000;

/** One service as long as its configuration stands. */
export class CacheService {
  readonly config: ServiceConfig;
  readonly cache: Cache;
  /** `undefined` for a service on disk. */
  readonly client: RedisClient | undefined;
  /** Of its record; `undefined`: it is configured. */
  readonly version: number | undefined;
  readonly clients: readonly RedisClient[];
  /** Until the client of a service just made has connected, or could not. */
  #opening: Promise<void> | undefined;
  #calls = 0;
  #onIdle: (() => void) | undefined;

  constructor(parts: Pick<CacheService, 'config' | 'cache' | 'client' | 'version' | 'clients'>) {
    this.config = parts.config;
    this.cache = parts.cache;
    this.client = parts.client;
    this.version = parts.version;
    this.clients = parts.clients;
    if (this.version !== undefined && this.client && this.client.status !== 'ready')
      this.#opening = this.#settle(this.client);
  }

  /** Runs a call, which a removal of the service waits for. */
  async during<T>(call: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      if (this.#opening) await this.#opening;
      return await call();
    } finally {
      this.#calls -= 1;
      if (this.#calls === 0) this.#onIdle?.();
    }
  }

  async #settle(client: RedisClient): Promise<void> {
    await settled(client);
    this.#opening = undefined;
  }

  /** Resolves when no call runs, after `MAX_RETIREMENT_MS` in any case, or when `signal` aborts. */
  async untilIdle(signal: AbortSignal): Promise<void> {
    if (this.#calls === 0 || signal.aborted) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      timer = setTimeout(resolve, MAX_RETIREMENT_MS).unref();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    clearTimeout(timer);
  }
}

/** Resolves when it is connected, when its first attempt has failed, or after `MAX_OPENING_MS`. */
function settled(client: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, MAX_OPENING_MS).unref();
    function done() {
      clearTimeout(timer);
      client.off('ready', done);
      client.off('error', done);
      resolve();
    }
    client.on('ready', done);
    client.on('error', done);
  });
}

export class CacheServices implements Service {
  readonly name = 'cache services';
  readonly #premises: Omit<Premises, 'connect' | 'subscribe'>;
  readonly #connections: CacheConnections;
  readonly #isComplete: () => boolean;
  readonly #log: Log;
  readonly #services = new Map<string, CacheService>();
  /** Made at run time, and unusable. */
  readonly #problems = new Map<string, { version: number; problem: DomainError }>();
  readonly #retiring = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #isStarted = false;

  /** `isComplete` is false while there may be services that are not known here yet. */
  constructor(options: {
    configs: readonly ServiceConfig[];
    premises: Omit<Premises, 'connect' | 'subscribe'>;
    connections: CacheConnections;
    isComplete: () => boolean;
    log: Log;
  }) {
    this.#premises = options.premises;
    this.#connections = options.connections;
    this.#isComplete = options.isComplete;
    this.#log = options.log;
    for (const config of options.configs) this.#open(config, undefined);
  }

  /**
   * Throws `service_unknown`, `forbidden` when the service is switched off, `secret_changed` when its password cannot be
   * read, `redis_unavailable` until it is known which there are. `name` in lower case.
   */
  find(name: string): CacheService {
    const service = this.#services.get(name);
    if (!service) throw this.#problems.get(name)?.problem ?? this.#unknown(name);
    if (!service.config.isActive)
      throw new DomainError<ErrorCode>('forbidden', `Service ${name} is deactivated.`);
    return service;
  }

  all(): CacheService[] {
    return [...this.#services.values()];
  }

  /** Those made at run time are these from now on. Calls under way finish with what they began. */
  apply(wanted: readonly RuntimeService[]): void {
    const versions = new Map(wanted.map(({ name, version }) => [name, version]));
    for (const [name, { version }] of this.#problems) {
      if (versions.get(name) !== version) this.#problems.delete(name);
    }
    for (const service of this.all()) {
      const { version, config } = service;
      if (version !== undefined && versions.get(config.name) !== version) this.#retire(service);
    }
    for (const each of wanted) {
      const { name, version } = each;
      if (this.#services.has(name) || this.#problems.has(name)) continue;
      if ('config' in each) this.#openSafely(each.config, version);
      else this.#problems.set(name, { version, problem: each.problem });
    }
  }

  start(): void {
    this.#isStarted = true;
    for (const service of this.all()) this.#listen(service);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#retiring, ...this.all().map(({ cache }) => cache.stop())]);
  }

  #unknown(name: string): DomainError<ErrorCode> {
    if (this.#isComplete()) return new DomainError('service_unknown', `Could not find a service for ${name}`);
    return new DomainError('redis_unavailable', 'The services are not read from Redis yet. Try again.', {
      details: { outcome: 'not_attempted' },
    });
  }

  /** One that cannot be opened, as one whose folder cannot be made, leaves the others alone. */
  #openSafely(config: ServiceConfig, version: number): void {
    try {
      this.#open(config, version);
    } catch (error) {
      this.#log.error({ service: config.name, error }, 'cache service not opened');
      const problem = new DomainError<ErrorCode>('internal', `Service ${config.name} cannot be opened.`, {
        cause: error,
      });
      this.#problems.set(config.name, { version, problem });
    }
  }

  #open(config: ServiceConfig, version: number | undefined): void {
    const clients: RedisClient[] = [];
    const open = (redis: RedisConfig, service: string, profile: Profile) => {
      const client = this.#connections.connect(redis, service, profile, version !== undefined);
      clients.push(client);
      return client;
    };
    const cache = openCache(config, {
      ...this.#premises,
      connect: (redis, service) => open(redis, service, 'request'),
      subscribe: (redis, service) => open(redis, service, 'subscriber'),
    });
    const opened = new CacheService({ config, cache, client: clients[0], version, clients });
    this.#services.set(config.name, opened);
    if (this.#isStarted) this.#listen(opened);
  }

  #retire(service: CacheService): void {
    this.#services.delete(service.config.name);
    const own = service.clients.filter((client) => this.#connections.detach(client));
    const retirement = service
      .untilIdle(this.#stopping.signal)
      .then(async () => {
        await service.cache.stop();
        await Promise.all(own.map((client) => close(client)));
      })
      .catch((error: unknown) => {
        this.#log.warn({ service: service.config.name, error }, 'cache service not closed');
      })
      .finally(() => this.#retiring.delete(retirement));
    this.#retiring.add(retirement);
  }

  /** Until Redis lets it listen, a service that keeps entries near reads each from Redis. */
  #listen({ config, cache }: CacheService): void {
    cache.start().catch((error: unknown) => {
      this.#log.warn({ service: config.name, err: error }, 'cache keeps nothing near');
    });
  }
}
