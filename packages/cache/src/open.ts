/** This file owns the making of a cache from its service's configuration: the API and the workers open the same one. */
import { join } from 'node:path';
import { keyspace, type RedisConfig, type ServiceConfig } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { Cache } from './cache.ts';
import { FileDriver } from './file-driver.ts';
import { RedisDriver } from './redis-driver.ts';
import { DEFAULT_MAX_VALUE_BYTES } from './schemas.ts';

export interface Premises {
  /** REDIS_PREFIX. */
  prefix: string;
  /** Services on disk lie in its folder `cache`, for every process of the installation. */
  dataDirectory: string;
  /** A client for this Redis; its owner closes it. */
  connect(config: RedisConfig, service: string): RedisClient;
  /** For services that set no bound of their own; default 1 MiB. */
  maxValueBytes?: number;
}

/** The cache of a service. A service on disk makes its folders here. */
export function openCache(service: ServiceConfig, premises: Premises): Cache {
  const { prefix, dataDirectory, connect, maxValueBytes = DEFAULT_MAX_VALUE_BYTES } = premises;
  const { name, redis, defaultTtlMinutes, options } = service;
  const driver = redis
    ? new RedisDriver({
        client: connect(redis, name),
        keyspace: keyspace(prefix, { isCluster: redis.kind === 'cluster' }),
        service: name,
        keyPrefix: options.keyPrefix,
      })
    : new FileDriver({ folder: join(dataDirectory, 'cache'), service: name });
  return new Cache({
    name,
    driver,
    defaultTtlMinutes,
    maxValueBytes: options.maxValueBytes ?? maxValueBytes,
  });
}
