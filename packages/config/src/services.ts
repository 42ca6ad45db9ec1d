/** This file owns cache services as configured: the services file (`sluice.config.json`) to services, each with its Redis. It opens nothing. */
import { ConfigError, type ConfigFault, Env, Secret } from './env.ts';
import {
  DEFAULT_REDIS_PORT,
  DEFAULT_SENTINEL_MASTER,
  DEFAULT_SENTINEL_PORT,
  type HostPort,
  parseHostPort,
  type RedisConfig,
} from './redis-config.ts';
import type { RolesConfig } from './roles.ts';
import {
  DEFAULT_TTL_MINUTES,
  fileFault,
  readServicesFile,
  readServiceText,
  type ServiceText,
  type ServiceType,
} from './services-file.ts';

export interface ServiceConfig {
  /** In lower case; leads the service's paths and keys. */
  name: string;
  label: string;
  description: string;
  isActive: boolean;
  type: ServiceType;
  /** `undefined` for `cache_local`, whose values lie on disk. */
  redis: RedisConfig | undefined;
  /** Minutes; 0: values without a TTL of their own are kept for ever. */
  defaultTtlMinutes: number;
  options: ServiceOptions;
}

export interface ServiceOptions {
  /** Instead of `{prefix}:cache:{service}:`, to adopt keys that others wrote; `undefined`: not asked for. */
  keyPrefix: string | undefined;
  flushPolicy: 'open' | 'confirm' | 'deny';
  /** The page's 500, or 503 for clients that retry by it. */
  unavailableStatus: 500 | 503;
  postStatus: 200 | 201;
  /** `undefined`: the API's own bound. */
  maxValueBytes: number | undefined;
  /** Longer texts are deflated; `undefined`: none. Other Redis clients cannot read them then. */
  deflateOverBytes: number | undefined;
  /** Entries kept in each process as well; `undefined`: none. Absent bounds have the cache's defaults. */
  near: { maxEntries?: number; maxBytes?: number; maxAgeMs?: number } | undefined;
}

/** The page's default for a service that is made; the environment's is `localhost`. */
const DEFAULT_SERVICE_HOST = '127.0.0.1';
/** The page's bare `DELETE /{service}` must work. */
const DEFAULT_FLUSH_POLICY = 'open';
/**
 * The services that `text` names; faults stay in `env` until `env.finish()`, each with the path of its field behind
 * `origin`, the file's name. Without a text, or without services in it: one service `redis`, of the type that
 * CACHE_DRIVER says.
 *
 * A service that says nothing of where its Redis is uses the cache role's.
 */
export function parseServices(options: {
  text: string | undefined;
  origin: string;
  env: Env;
  roles: Pick<RolesConfig, 'cacheDriver' | 'redis'>;
}): ServiceConfig[] {
  const { env, origin, roles } = options;
  if (options.text === undefined) return [defaultService(roles)];
  const file = readServicesFile(options.text, env, origin);
  if (file && !file.services) return [defaultService(roles)];
  const services = file?.services ?? [];
  const taken = new Set<string>();
  return services.map((service, index) => {
    const where = `${origin} services[${index}]`;
    if (taken.has(service.name))
      fileFault(
        env,
        `${where}.name`,
        `'${service.name}' once more`,
        'a name of its own (case does not matter)',
      );
    taken.add(service.name);
    return toConfig(service, { env, where, roles });
  });
}

/** A service given at run time: as it was written with its defaults, and ready for use. */
export interface ReadService {
  definition: ServiceText;
  config: ServiceConfig;
}

/**
 * Reads a service that is given at run time, by the rules of the services file; `faults` name fields as in
 * `config.port`. Passwords are given as they are and certificates not at all: a variable or a file of the server is for
 * whoever starts it to name, or whoever may make a service could have it sent to a Redis of his own.
 */
export function parseService(
  given: unknown,
  roles: Pick<RolesConfig, 'redis'>,
): ReadService | { faults: readonly ConfigFault[] } {
  const env = new Env({});
  const definition = readServiceText(given, env);
  const own = definition && refuseReferences(definition, env);
  const config = own && toConfig(own, { env, where: '', roles });
  try {
    env.finish();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { faults: error.faults.map((fault) => ({ ...fault, name: fault.name.replace(/^\./, '') })) };
  }
  return { definition: definition as ServiceText, config: config as ServiceConfig };
}

/** `undefined` when it names a variable or a file; the fault is told to `env`. */
function refuseReferences(definition: ServiceText, env: Env): ServiceText | undefined {
  const { config } = definition;
  const { tls } = config.options;
  const passwords = [
    ['config.password', config.password],
    ['config.options.sentinel_password', config.options.sentinel_password],
  ] as const;
  const files = typeof tls === 'object' ? (['ca', 'cert', 'key'] as const).filter((name) => tls[name]) : [];
  const variables = passwords.filter(([, value]) => typeof value === 'object' && value !== null);
  for (const [path] of variables)
    fileFault(
      env,
      path,
      'the name of a variable',
      'the password itself; variables are for the services file',
    );
  for (const name of files)
    fileFault(
      env,
      `config.options.tls.${name}`,
      'the path of a file',
      'true, false or {"servername"}; files are for the services file',
    );
  return variables.length + files.length === 0 ? definition : undefined;
}

function defaultService(roles: Pick<RolesConfig, 'cacheDriver' | 'redis'>): ServiceConfig {
  const isOnRedis = roles.cacheDriver === 'redis';
  return {
    name: 'redis',
    label: 'Redis Cache',
    description: 'Application cache service',
    isActive: true,
    type: isOnRedis ? 'cache_redis' : 'cache_local',
    redis: isOnRedis ? roles.redis.cache : undefined,
    defaultTtlMinutes: DEFAULT_TTL_MINUTES,
    options: {
      keyPrefix: undefined,
      flushPolicy: DEFAULT_FLUSH_POLICY,
      unavailableStatus: 500,
      postStatus: 201,
      maxValueBytes: undefined,
      deflateOverBytes: undefined,
      near: undefined,
    },
  };
}

interface Place {
  env: Env;
  /** Path of the service in the file. */
  where: string;
  roles: Pick<RolesConfig, 'redis'>;
}

function toConfig(service: ServiceText, place: Place): ServiceConfig {
  const { name, label = name, description = '', type, is_active: isActive, config } = service;
  const { options } = config;
  if (options.key_prefix === '' && (options.flush_policy ?? DEFAULT_FLUSH_POLICY) === 'open') {
    fileFault(
      place.env,
      `${place.where}.config.options.flush_policy`,
      "'open' beside an empty key_prefix",
      'confirm or deny, for a flush would remove every key of the database',
    );
  }
  if (type === 'cache_local' && options.near) {
    fileFault(
      place.env,
      `${place.where}.config.options.near`,
      'entries near a service on disk',
      'none, for changes by other processes are told by Redis alone',
    );
  }
  return {
    name,
    label,
    description,
    isActive,
    type,
    redis: type === 'cache_redis' ? redisOf(config, place) : noRedis(config, place),
    defaultTtlMinutes: config.default_ttl,
    options: {
      keyPrefix: options.key_prefix,
      flushPolicy: options.flush_policy ?? DEFAULT_FLUSH_POLICY,
      unavailableStatus: options.unavailable_status,
      postStatus: options.post_status,
      maxValueBytes: options.max_value_bytes,
      deflateOverBytes: options.deflate_over_bytes,
      near: nearOf(options.near),
    },
  };
}

const CONNECTION_FIELDS = ['host', 'port', 'username', 'password', 'database_index'] as const;
const CONNECTION_OPTIONS = [
  'tls',
  'sentinels',
  'sentinel_master',
  'sentinel_username',
  'sentinel_password',
  'cluster_nodes',
] as const;

/** The fields that say where a Redis is, by their paths. */
function connectionFields(config: ServiceText['config']): string[] {
  return [
    ...CONNECTION_FIELDS.filter((field) => config[field] !== undefined),
    ...CONNECTION_OPTIONS.filter((field) => config.options[field] !== undefined).map(
      (field) => `options.${field}`,
    ),
  ];
}

function noRedis(config: ServiceText['config'], { env, where }: Place): undefined {
  for (const field of connectionFields(config)) {
    fileFault(
      env,
      `${where}.config.${field}`,
      'a setting of Redis',
      'none, for cache_local keeps its values on disk',
    );
  }
}

function redisOf(config: ServiceText['config'], { env, where, roles }: Place): RedisConfig {
  if (connectionFields(config).length === 0) return roles.redis.cache;
  const {
    options,
    host = DEFAULT_SERVICE_HOST,
    port = DEFAULT_REDIS_PORT,
    database_index: database = 0,
  } = config;
  const access = {
    username: config.username ?? undefined,
    password: readPassword(config.password, env, `${where}.config.password`),
    tls: tlsOf(options.tls),
  };
  const places = [
    { path: 'config.host', value: config.host ?? config.port },
    { path: 'config.options.sentinels', value: options.sentinels },
    { path: 'config.options.cluster_nodes', value: options.cluster_nodes },
  ].filter(({ value }) => value !== undefined);
  const [first, second] = places;
  if (first && second) {
    fileFault(
      env,
      `${where}.${second.path}`,
      `a second place beside ${first.path}`,
      'one of host, sentinels, cluster_nodes',
    );
  }
  if (options.cluster_nodes) {
    if (database !== 0)
      fileFault(
        env,
        `${where}.config.database_index`,
        `${database} in a Cluster`,
        '0, the only database of a Redis Cluster',
      );
    return { kind: 'cluster', nodes: hostPorts(options.cluster_nodes, DEFAULT_REDIS_PORT), ...access };
  }
  if (options.sentinels) {
    return {
      kind: 'sentinel',
      sentinels: hostPorts(options.sentinels, DEFAULT_SENTINEL_PORT),
      master: options.sentinel_master ?? DEFAULT_SENTINEL_MASTER,
      sentinelUsername: options.sentinel_username ?? undefined,
      sentinelPassword: readPassword(
        options.sentinel_password,
        env,
        `${where}.config.options.sentinel_password`,
      ),
      database,
      ...access,
    };
  }
  return { kind: 'standalone', host, port, database, ...access };
}

function readPassword(value: ServiceText['config']['password'], env: Env, where: string): Secret | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return new Secret(value);
  const secret = env.secret(value.env);
  if (!secret)
    fileFault(
      env,
      where,
      `the variable ${value.env}, which is not set`,
      'a variable that holds the password',
    );
  return secret;
}

function tlsOf(value: ServiceText['config']['options']['tls']): RedisConfig['tls'] {
  if (value === undefined || value === false) return undefined;
  const { ca, cert, key, servername } = value === true ? {} : value;
  return { caFile: ca, certFile: cert, keyFile: key, serverName: servername };
}

function nearOf(value: ServiceText['config']['options']['near']): ServiceOptions['near'] {
  if (value === undefined) return undefined;
  const { max_entries: maxEntries, max_bytes: maxBytes, max_age_ms: maxAgeMs } = value;
  return {
    ...(maxEntries !== undefined && { maxEntries }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(maxAgeMs !== undefined && { maxAgeMs }),
  };
}

function hostPorts(entries: readonly string[], defaultPort: number): HostPort[] {
  return entries.flatMap((entry) => parseHostPort(entry, defaultPort) ?? []);
}
