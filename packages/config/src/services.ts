/** This file owns the services file (`sluice.config.json`): its text to cache services, each with its Redis. It opens nothing. */
import { z } from 'zod';
import { type Env, Secret } from './env.ts';
import {
  DEFAULT_REDIS_PORT,
  DEFAULT_SENTINEL_MASTER,
  DEFAULT_SENTINEL_PORT,
  HOST_PATTERN,
  type HostPort,
  MAX_REDIS_DATABASE,
  parseHostPort,
  type RedisConfig,
} from './redis-config.ts';
import type { RolesConfig } from './roles.ts';

export const SERVICE_TYPES = ['cache_redis', 'cache_local'] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

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
}

/** The page's Default TTL. */
const DEFAULT_TTL_MINUTES = 300;
const MAX_TTL_MINUTES = 10 * 365 * 24 * 60;
const MAX_SERVICES = 1_000;
const MAX_VALUE_BYTES = 536_870_912;
/** The page's default for a service that is made; the environment's is `localhost`. */
const DEFAULT_SERVICE_HOST = '127.0.0.1';
const DEFAULT_OPTIONS: ServiceOptions = {
  keyPrefix: undefined,
  flushPolicy: 'open',
  unavailableStatus: 500,
  postStatus: 201,
  maxValueBytes: undefined,
};

/** First segments of our own paths, so no service may bear them. */
export const RESERVED_SERVICE_NAMES: readonly string[] = [
  'system',
  'queues',
  'flows',
  'deliveries',
  'sessions',
  'users',
  'limits',
  'channels',
  'events',
  'leases',
  'user',
  'api_docs',
];

/** A schema whose every fault says what is wanted, instead of what zod calls it. */
const wanted = (error: string) => ({ error });
const text = (max: number) => z.string(wanted('a text')).max(max, wanted(`at most ${max} characters`));
const whole = (min: number, max: number) => {
  const range = wanted(`a whole number from ${min} to ${max}`);
  return z.int(range).min(min, range).max(max, range);
};
const oneOf = <const T extends readonly (string | number)[]>(choices: T) =>
  z.literal(choices, wanted(`one of ${choices.join(', ')}`));
const flag = z.boolean(wanted('true or false'));
const NAME = wanted('1 to 40 letters, digits, hyphens or underscores');
const HOST = wanted('a host name or IP address');
const HOSTS = wanted('a list of "host" or "host:port"');
const PASSWORD = wanted('the password, or {"env": "NAME"} with the variable that holds it');
const TLS = wanted('true, false, or the paths {"ca", "cert", "key"} and {"servername"}');

const hosts = z
  .array(
    z.string(HOSTS).refine((entry) => parseHostPort(entry, DEFAULT_REDIS_PORT), HOSTS),
    HOSTS,
  )
  .min(1, HOSTS)
  .max(100, HOSTS);
const password = z.union([z.string(), z.strictObject({ env: z.string().min(1) })], PASSWORD).nullish();
const path = z.string(TLS).min(1, TLS).optional();

const serviceSchema = z.strictObject({
  name: z
    .string(NAME)
    .regex(/^[A-Za-z0-9_-]{1,40}$/, NAME)
    .toLowerCase()
    .refine(
      (name) => !RESERVED_SERVICE_NAMES.includes(name),
      wanted(`a name that is none of ${RESERVED_SERVICE_NAMES.join(', ')}`),
    ),
  label: text(80).optional(),
  description: text(255).optional(),
  type: oneOf(SERVICE_TYPES),
  is_active: flag.default(true),
  config: z
    .strictObject({
      host: z.string(HOST).regex(HOST_PATTERN, HOST).optional(),
      port: whole(1, 65_535).optional(),
      username: text(256).nullish(),
      password,
      database_index: whole(0, MAX_REDIS_DATABASE).optional(),
      default_ttl: whole(0, MAX_TTL_MINUTES).default(DEFAULT_TTL_MINUTES),
      options: z
        .strictObject({
          tls: z
            .union([flag, z.strictObject({ ca: path, cert: path, key: path, servername: path })], TLS)
            .optional(),
          sentinels: hosts.optional(),
          sentinel_master: text(128).min(1).optional(),
          sentinel_username: text(256).nullish(),
          sentinel_password: password,
          cluster_nodes: hosts.optional(),
          key_prefix: text(256).optional(),
          flush_policy: oneOf(['open', 'confirm', 'deny']).optional(),
          unavailable_status: oneOf([500, 503]).default(DEFAULT_OPTIONS.unavailableStatus),
          post_status: oneOf([200, 201]).default(DEFAULT_OPTIONS.postStatus),
          max_value_bytes: whole(1, MAX_VALUE_BYTES).optional(),
        })
        .prefault({}),
    })
    .prefault({}),
});
type ServiceText = z.infer<typeof serviceSchema>;

const fileSchema = z.strictObject({
  services: z.array(serviceSchema, wanted('a list of services')).min(1).max(MAX_SERVICES),
});

/**
 * The services that `text` names; faults stay in `env` until `env.finish()`, each with the path of its field behind
 * `origin`, the file's name. Without a text: one service `redis`, of the type that CACHE_DRIVER says.
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
  const file = readJson(options.text, env, origin);
  if (file === undefined) return [];
  const parsed = fileSchema.safeParse(file.value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) reportIssue(env, origin, file.value, issue);
    return [];
  }
  const taken = new Set<string>();
  return parsed.data.services.map((service, index) => {
    const where = `${origin} services[${index}]`;
    if (taken.has(service.name))
      fault(env, `${where}.name`, `'${service.name}' once more`, 'a name of its own (case does not matter)');
    taken.add(service.name);
    return toConfig(service, { env, where, roles });
  });
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
    options: DEFAULT_OPTIONS,
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
  if (options.key_prefix === '' && (options.flush_policy ?? 'open') === 'open') {
    fault(
      place.env,
      `${place.where}.config.options.flush_policy`,
      "'open' beside an empty key_prefix",
      'confirm or deny, for a flush would remove every key of the database',
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
      flushPolicy: options.flush_policy ?? DEFAULT_OPTIONS.flushPolicy,
      unavailableStatus: options.unavailable_status,
      postStatus: options.post_status,
      maxValueBytes: options.max_value_bytes,
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
    fault(
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
    fault(
      env,
      `${where}.${second.path}`,
      `a second place beside ${first.path}`,
      'one of host, sentinels, cluster_nodes',
    );
  }
  if (options.cluster_nodes) {
    if (database !== 0)
      fault(
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

function readPassword(value: z.infer<typeof password>, env: Env, where: string): Secret | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return new Secret(value);
  const secret = env.secret(value.env);
  if (!secret)
    fault(env, where, `the variable ${value.env}, which is not set`, 'a variable that holds the password');
  return secret;
}

function tlsOf(value: ServiceText['config']['options']['tls']): RedisConfig['tls'] {
  if (value === undefined || value === false) return undefined;
  const { ca, cert, key, servername } = value === true ? {} : value;
  return { caFile: ca, certFile: cert, keyFile: key, serverName: servername };
}

function hostPorts(entries: readonly string[], defaultPort: number): HostPort[] {
  return entries.flatMap((entry) => parseHostPort(entry, defaultPort) ?? []);
}

const EXAMPLE_FILE =
  '{"services": [{"name": "redis", "type": "cache_redis", "config": {"host": "127.0.0.1"}}]}';
const EXAMPLES: Readonly<Record<string, string>> = {
  name: '"redis"',
  label: '"Redis Cache"',
  description: '"Application cache service"',
  type: '"cache_redis"',
  is_active: 'true',
  host: '"127.0.0.1"',
  port: '6379',
  username: '"sluice"',
  password: '{"env": "CACHE_PASSWORD"}',
  database_index: '0',
  default_ttl: '300',
  tls: '{"ca": "/etc/ssl/redis-ca.pem"}',
  sentinels: '["sentinel-1:26379", "sentinel-2:26379"]',
  sentinel_master: '"mymaster"',
  sentinel_username: '"sentinel"',
  sentinel_password: '{"env": "SENTINEL_PASSWORD"}',
  cluster_nodes: '["redis-1:6379", "redis-2:6379"]',
  key_prefix: '"app:"',
  flush_policy: '"confirm"',
  unavailable_status: '503',
  post_status: '200',
  max_value_bytes: '1048576',
};

function fault(env: Env, name: string, got: string, want: string): void {
  const field = /(\w+)(?:\[\d+\])?$/.exec(name)?.[1] ?? '';
  env.fault({ name, got, wanted: want, example: EXAMPLES[field] ?? EXAMPLE_FILE });
}

/** The engine's own message would quote the text around the fault, which may be a password. */
function readJson(source: string, env: Env, origin: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(source.replace(/^\uFEFF/, '')) };
  } catch {
    fault(env, origin, 'a text that is not JSON', 'JSON without comments or trailing commas');
    return undefined;
  }
}

function reportIssue(env: Env, origin: string, file: unknown, issue: z.core.$ZodIssue): void {
  const path = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  const where = `${origin} ${path.replace(/^\./, '')}`.trim();
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys)
      fault(env, `${where}.${key}`, 'a setting of this name', 'a setting that exists, in its place');
    return;
  }
  const value = issue.path.reduce<unknown>(
    (at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
    file,
  );
  fault(env, where, show(value, path), issue.message);
}

/** A value for a person to recognise; nothing of what may be a secret. */
function show(value: unknown, path: string): string {
  if (value === undefined) return 'nothing';
  if (/password/i.test(path)) return `a ${value === null ? 'null' : typeof value} (not shown)`;
  if (typeof value === 'object')
    return Array.isArray(value) ? `a list of ${value.length}` : value === null ? 'null' : 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
