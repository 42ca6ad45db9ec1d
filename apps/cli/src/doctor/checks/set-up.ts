/** This file owns what is configured, before anything is connected to: drivers, the page's names, who may send credentials where. */
import { describeRedis, type Role } from '@sluice/config';
import type { DoctorConfig } from '../../config.ts';
import { type Finding, info, ok, unknown, type Verdict, warning } from '../finding.ts';
import type { RecordedServices } from '../recorded-services.ts';

interface SetUpCheck {
  id: string;
  page: string | null;
  why: string;
  role: Role | 'setup';
  look(setUp: SetUp): Verdict;
}

export interface SetUp {
  config: DoctorConfig;
  recorded: RecordedServices;
}

export const CONFIG_CHECK = {
  id: 'setup.config',
  page: 'Configuration Options',
  why: 'The API and the worker do not start with a setting that they cannot read.',
} as const;

const place: SetUpCheck = {
  id: 'setup.redis',
  page: 'Configuration Options: REDIS_HOST, REDIS_PORT',
  why: 'Where nothing says so, the API and the worker look for Redis at localhost:6379; `sluice up` runs one of its own.',
  role: 'setup',
  look({ config: { isRedisNamed, ownRedis, roles } }) {
    if (isRedisNamed) return ok('the environment says where Redis is');
    return ownRedis
      ? ok(`the one that \`sluice up\` runs, ${describeRedis(roles.redis.queue)}`)
      : info(
          `nothing says where Redis is: ${describeRedis(roles.redis.queue)}`,
          'REDIS_HOST=localhost REDIS_PORT=6379',
        );
  },
};

const cacheDriver: SetUpCheck = {
  id: 'setup.cache-driver',
  page: 'System Cache Configuration: CACHE_DRIVER',
  why: 'Values on disk are shared by the processes of one machine alone.',
  role: 'cache',
  look({ config: { roles, services } }) {
    const onDisk = services.filter(({ isActive, redis }) => isActive && !redis).map(({ name }) => name);
    return onDisk.length === 0
      ? ok('every cache service keeps its values in Redis')
      : info(
          `on disk: ${onDisk.join(', ')}`,
          roles.cacheDriver === 'file' ? 'CACHE_DRIVER=redis' : '"type": "cache_redis" in sluice.config.json',
        );
  },
};

const sessionDriver: SetUpCheck = {
  id: 'setup.session-driver',
  page: 'Session Storage: SESSION_DRIVER',
  why: 'Sessions on disk are known to one machine alone: a second API does not know who is logged in.',
  role: 'session',
  look: ({ config: { roles } }) =>
    roles.sessionDriver === 'redis'
      ? ok('sessions are in Redis')
      : info('sessions are on disk', 'SESSION_DRIVER=redis'),
};

const queueDriver: SetUpCheck = {
  id: 'setup.queue-driver',
  page: 'Queue Backend: QUEUE_DRIVER',
  why: 'Jobs are kept in Redis, there is no other driver.',
  role: 'queue',
  look: () => ok('jobs are in Redis'),
};

const client: SetUpCheck = {
  id: 'setup.client',
  page: 'Connection Pooling: REDIS_CLIENT',
  why: 'phpredis and predis are names of the page; here they mean our own client, whose connections are persistent in any case.',
  role: 'setup',
  look: ({ config: { redisClient } }) =>
    redisClient === undefined || redisClient === 'ioredis'
      ? ok('our own client, with persistent connections')
      : ok(`REDIS_CLIENT=${redisClient} means our own client, with persistent connections`),
};

const queryCredentials: SetUpCheck = {
  id: 'setup.query-credentials',
  page: null,
  why: 'A key in an address ends up in logs, histories and referrers.',
  role: 'setup',
  look: ({ config: { allowsQueryCredentials } }) =>
    allowsQueryCredentials
      ? warning('keys are accepted in the query (?api_key=)', 'ALLOW_QUERY_CREDENTIALS=false')
      : ok('keys are accepted in headers alone'),
};

const prefix: SetUpCheck = {
  id: 'setup.prefix',
  page: 'Configuration Options: REDIS_PREFIX',
  why: 'Two installations on one Redis need two prefixes; each key carries it.',
  role: 'setup',
  look: ({ config: { roles } }) => ok(`every key begins with '${roles.prefix}'`),
};

const recordedServices: SetUpCheck = {
  id: 'setup.recorded-services',
  page: 'Creating a Redis Cache Service',
  why: 'Services that were made while the API ran have a Redis of their own choice, which is examined as well.',
  role: 'cache',
  look({ recorded: { isRead, services, unusable } }) {
    if (!isRead) return unknown('the Redis of the queue role, which holds them, does not tell them');
    if (unusable.length > 0) {
      return unknown(
        `sealed with a master secret that is not here: ${unusable.join(', ')}`,
        'SLUICE_SECRET=…   # the installation’s own, or --data-dir where its secret lies',
      );
    }
    return ok(services.length === 0 ? 'none' : services.map(({ name }) => name).join(', '));
  },
};

const SET_UP_CHECKS: readonly SetUpCheck[] = [
  place,
  cacheDriver,
  sessionDriver,
  queueDriver,
  recordedServices,
  client,
  queryCredentials,
  prefix,
];

export const SET_UP_CHECK_IDS: readonly string[] = [CONFIG_CHECK.id, ...SET_UP_CHECKS.map(({ id }) => id)];

export function lookAtSetUp(setUp: SetUp): Finding[] {
  const readable = { ...CONFIG_CHECK, role: 'setup' as const, look: () => ok('every setting can be read') };
  return [readable, ...SET_UP_CHECKS].map(({ id, page, why, role, look }) => {
    const { severity, evidence, why: reason = why, fix } = look(setUp);
    return { id, role, redis: null, node: null, severity, evidence, why: reason, fix: fix ?? null, page };
  });
}
