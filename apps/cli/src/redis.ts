/** This file owns how a command reaches Redis: the one of the environment, else the one `sluice up` runs, else ours for as long as it takes. */
import { Env, type Keyspace, keyspace, type RedisConfig, type Role, readRoles } from '@sluice/config';
import { close, connect, type RedisClient, untilReady } from '@sluice/redis';
import { findEmbeddedRedis, startEmbeddedRedis } from '@sluice/redis/embedded';
import type { CliConfig } from './config.ts';
import { CommandFailure } from './failure.ts';

/** What a person at a terminal waits for without wondering. */
const READY_DEADLINE_MS = 3_000;

export interface RedisAtHand {
  client: RedisClient;
  keys: Keyspace;
}

/** Runs `work` against the Redis of a role, by default of the queue, and leaves things as they were found. */
export async function withRedis<T>(
  config: CliConfig,
  work: (redis: RedisAtHand) => Promise<T>,
  role: Role = 'queue',
): Promise<T> {
  if (config.isRedisNamed) return await connected(config, config.roles.redis[role], work);
  const running = await findEmbeddedRedis(config.redisDirectory);
  if (running) return await connected(config, configOf(running.url), work);
  const redis = await startEmbeddedRedis({ directory: config.redisDirectory });
  try {
    if (redis.kind === 'in-process') {
      throw new CommandFailure(
        `No Redis: the environment names none, none runs in ${config.redisDirectory}, and redis-server is not installed. ` +
          'Start one with `npx sluice up`, or say where yours is with REDIS_URL=redis://host:6379.',
      );
    }
    return await connected(config, configOf(redis.url), work);
  } finally {
    await redis.stop();
  }
}

/** As the API will read it from the same URL. */
export function configOf(url: string): RedisConfig {
  return readRoles(new Env({ REDIS_URL: url })).redis.queue;
}

async function connected<T>(
  { roles }: CliConfig,
  config: RedisConfig,
  work: (redis: RedisAtHand) => Promise<T>,
): Promise<T> {
  const client = connect({ config, profile: 'request', name: 'cli' });
  try {
    await untilReady(client, READY_DEADLINE_MS);
    return await work({ client, keys: keyspace(roles.prefix, { isCluster: config.kind === 'cluster' }) });
  } finally {
    await close(client);
  }
}
