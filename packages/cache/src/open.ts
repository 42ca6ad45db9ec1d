/** This file owns the making of a cache from its service's configuration: the API and the workers open the same one. */
import { join } from 'node:path';
import { keyspace, type RedisConfig, type ServiceConfig } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { systemClock } from '@sluice/runtime';
import { InvalidationBus } from './bus.ts';
import { Cache } from './cache.ts';
import { FileDriver } from './file-driver.ts';
import { cacheKeys } from './keys.ts';
import type { CacheOptions } from './options.ts';
import { RedisDriver } from './redis-driver.ts';
import { DEFAULT_MAX_VALUE_BYTES } from './schemas.ts';

export interface Premises {
  /** REDIS_PREFIX. */
  prefix: string;
  /** Services on disk lie in its folder `cache`, for every process of the installation. */
  dataDirectory: string;
  /** A client for this Redis; its owner closes it. */
  connect(config: RedisConfig, service: string): RedisClient;
  /** Another of profile `subscriber`, for services that keep entries near. */
  subscribe(config: RedisConfig, service: string): RedisClient;
  /** For services that set no bound of their own; default 1 MiB. */
  maxValueBytes?: number;
}

/** The cache of a service. A service on disk makes its folders here. One that keeps entries near hears of changes once it is started. */
export function openCache(service: ServiceConfig, premises: Premises): Cache {
  const { dataDirectory, maxValueBytes = DEFAULT_MAX_VALUE_BYTES } = premises;
  const { name, redis, defaultTtlMinutes, options } = service;
  const settings = {
    name,
    defaultTtlMinutes,
    maxValueBytes: options.maxValueBytes ?? maxValueBytes,
    deflateOverBytes: options.deflateOverBytes,
  } satisfies Omit<CacheOptions, 'driver'>;
  if (!redis) {
    return new Cache({
      ...settings,
      driver: new FileDriver({ folder: join(dataDirectory, 'cache'), service: name }),
    });
  }
  const isCluster = redis.kind === 'cluster';
  const keys = keyspace(premises.prefix, { isCluster });
  const client = premises.connect(redis, name);
  const driver = new RedisDriver({ client, keyspace: keys, service: name, keyPrefix: options.keyPrefix });
  if (!options.near) return new Cache({ ...settings, driver });
  const bus = new InvalidationBus({
    publisher: client,
    subscriber: premises.subscribe(redis, name),
    channel: cacheKeys(keys, name, { isCluster, entryPrefix: options.keyPrefix }).busChannel,
    clock: systemClock,
  });
  return new Cache({ ...settings, driver, near: { ...options.near, bus } });
}
