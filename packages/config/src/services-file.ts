/** This file owns the shape of the services file and the words for what is wrong with one. */
import { z } from 'zod';
import { type Env, shown } from './env.ts';
import { DEFAULT_REDIS_PORT, HOST_PATTERN, MAX_REDIS_DATABASE, parseHostPort } from './redis-config.ts';

export const SERVICE_TYPES = ['cache_redis', 'cache_local'] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

/** The page's Default TTL. */
export const DEFAULT_TTL_MINUTES = 300;
const MAX_TTL_MINUTES = 10 * 365 * 24 * 60;
const MAX_SERVICES = 1_000;
const MAX_VALUE_BYTES = 536_870_912;

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
const NEAR = wanted('{"max_entries", "max_bytes", "max_age_ms"}, each with a default');
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
          sentinel_master: text(128).min(1, wanted('at least one character')).optional(),
          sentinel_username: text(256).nullish(),
          sentinel_password: password,
          cluster_nodes: hosts.optional(),
          key_prefix: text(256).optional(),
          flush_policy: oneOf(['open', 'confirm', 'deny']).optional(),
          unavailable_status: oneOf([500, 503]).default(500),
          post_status: oneOf([200, 201]).default(201),
          max_value_bytes: whole(1, MAX_VALUE_BYTES).optional(),
          deflate_over_bytes: whole(1, MAX_VALUE_BYTES).optional(),
          near: z
            .strictObject(
              {
                max_entries: whole(1, 10_000_000).optional(),
                max_bytes: whole(1_024, 68_719_476_736).optional(),
                max_age_ms: whole(1, 86_400_000).optional(),
              },
              NEAR,
            )
            .optional(),
        })
        .prefault({}),
    })
    .prefault({}),
});
export type ServiceText = z.infer<typeof serviceSchema>;

const fileSchema = z.strictObject({
  services: z.array(serviceSchema, wanted('a list of services')).min(1).max(MAX_SERVICES).optional(),
  /** Policies; their shape is known to whoever limits. */
  limits: z.array(z.unknown(), wanted('a list of limit policies')).optional(),
});
export type ServicesFile = z.infer<typeof fileSchema>;

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
  deflate_over_bytes: '16384',
  near: '{"max_entries": 10000}',
  max_entries: '10000',
  max_bytes: '67108864',
  max_age_ms: '60000',
};

/** `name` is the field's path behind the file's name. */
export function fileFault(env: Env, name: string, got: string, want: string): void {
  const field = /(\w+)(?:\[\d+\])?$/.exec(name)?.[1] ?? '';
  env.fault({ name, got, wanted: want, example: EXAMPLES[field] ?? EXAMPLE_FILE });
}

/** One service as it is given at run time, with defaults; `undefined` when there are faults, which are told to `env`. */
export function readServiceText(given: unknown, env: Env): ServiceText | undefined {
  const parsed = serviceSchema.safeParse(given);
  if (!parsed.success) for (const issue of parsed.error.issues) reportIssue(env, '', given, issue);
  return parsed.data;
}

/** The file as written, with defaults; `undefined` when there are faults, which are told to `env`. */
export function readServicesFile(source: string, env: Env, origin: string): ServicesFile | undefined {
  const file = readJson(source, env, origin);
  if (file === undefined) return undefined;
  if (isEmpty(file.value)) fileFault(env, `${origin} services`, 'nothing', 'a list of services');
  const parsed = fileSchema.safeParse(file.value);
  if (!parsed.success) for (const issue of parsed.error.issues) reportIssue(env, origin, file.value, issue);
  return parsed.data;
}

/** A file that names neither services nor limits is not one of ours. */
function isEmpty(file: unknown): boolean {
  const members =
    typeof file === 'object' && file !== null && !Array.isArray(file) ? Object.keys(file) : undefined;
  return members !== undefined && !members.includes('services') && !members.includes('limits');
}

/** The engine's own message would quote the text around the fault, which may be a password. */
function readJson(source: string, env: Env, origin: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(source.replace(/^\uFEFF/, '')) };
  } catch {
    fileFault(env, origin, 'a text that is not JSON', 'JSON without comments or trailing commas');
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
      fileFault(env, `${where}.${key}`, 'an unknown setting', 'one that exists, at its place');
    return;
  }
  const value = issue.path.reduce<unknown>(
    (at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
    file,
  );
  fileFault(env, where, show(value, path), issue.message);
}

/** A value for a person to recognise; nothing of what may be a secret. */
function show(value: unknown, path: string): string {
  if (value === undefined) return 'nothing';
  if (/password/i.test(path)) return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value} (not shown)`;
  if (typeof value === 'object')
    return Array.isArray(value) ? `a list of ${value.length}` : value === null ? 'null' : 'an object';
  return shown(String(value));
}
