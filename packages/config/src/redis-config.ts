/** This file owns the description of one Redis: where it is, how to enter. It opens nothing. */
import { type Env, Secret, shown } from './env.ts';
import { parseRedisUrl, type RedisUrl, withoutBrackets } from './redis-url.ts';

export interface HostPort {
  host: string;
  port: number;
}

export interface TlsConfig {
  /** Paths of PEM files; read when the connection is made. */
  caFile: string | undefined;
  certFile: string | undefined;
  keyFile: string | undefined;
  /** Name to verify in the certificate; default the host connected to. */
  serverName: string | undefined;
}

interface RedisAccess {
  username: string | undefined;
  password: Secret | undefined;
  /** `undefined`: plain TCP. */
  tls: TlsConfig | undefined;
}

export interface StandaloneConfig extends RedisAccess, HostPort {
  kind: 'standalone';
  database: number;
}

export interface SentinelConfig extends RedisAccess {
  kind: 'sentinel';
  sentinels: readonly HostPort[];
  master: string;
  sentinelUsername: string | undefined;
  sentinelPassword: Secret | undefined;
  database: number;
}

/** A Redis Cluster; its database is always 0. */
export interface ClusterConfig extends RedisAccess {
  kind: 'cluster';
  nodes: readonly HostPort[];
}

export type RedisConfig = StandaloneConfig | SentinelConfig | ClusterConfig;

export const DEFAULT_REDIS_HOST = 'localhost';
export const DEFAULT_REDIS_PORT = 6379;
export const DEFAULT_SENTINEL_PORT = 26379;
/** What Sentinel's own documentation calls it. */
export const DEFAULT_SENTINEL_MASTER = 'mymaster';
export const HOST_PATTERN = /^[\w.:[\]-]{1,253}$/;
/** The page's "0-15". */
export const MAX_REDIS_DATABASE = 15;

const PORT = { min: 1, max: 65_535 };
const WHERE = ['URL', 'HOST', 'CLUSTER_NODES', 'SENTINEL_HOST'] as const;

/**
 * One Redis from variables that start with the first of `families` that says where it is (`QUEUE_HOST` before
 * `REDIS_HOST`); single settings (port, password, …) come from the first family that has them.
 *
 * A URL beside a single setting of its own family that says something else is a fault. A host beside Sentinels or
 * Cluster nodes is passed over, as environments bring one along.
 */
export function readRedisConfig(env: Env, families: readonly string[]): RedisConfig {
  const from = families.find((family) => WHERE.some((part) => env.has(`${family}_${part}`))) ?? 'REDIS';
  const rest = families.slice(families.indexOf(from));
  const pick = (part: string) => {
    const family = families.find((candidate) => env.has(`${candidate}_${part}`));
    return `${family ?? from}_${part}`;
  };
  const tls = readTls(env, pick);
  if (env.has(`${from}_URL`)) return fromUrl(env, { from, families, tls });

  const access = {
    username: env.text(pick('USERNAME'), undefined),
    password: env.secret(pick('PASSWORD')),
    tls,
  };
  const database = env.integer(pick('DATABASE'), 0, { min: 0, max: MAX_REDIS_DATABASE });
  if (env.has(`${from}_CLUSTER_NODES`)) {
    if (env.has(`${from}_SENTINEL_HOST`)) {
      env.fault({
        name: `${from}_CLUSTER_NODES and ${from}_SENTINEL_HOST`,
        got: 'both',
        wanted: 'one of them, for a Cluster has no Sentinels',
        example: `${from}_SENTINEL_HOST=`,
      });
    }
    if (database !== 0) {
      env.fault({
        name: pick('DATABASE'),
        got: `${database} beside ${from}_CLUSTER_NODES`,
        wanted: '0, the only database of a Redis Cluster',
        example: `${pick('DATABASE')}=0`,
      });
    }
    return { kind: 'cluster', nodes: readHosts(env, `${from}_CLUSTER_NODES`, DEFAULT_REDIS_PORT), ...access };
  }
  if (env.has(`${from}_SENTINEL_HOST`)) {
    const sentinelPort = env.integer(firstSet(env, rest, 'SENTINEL_PORT'), DEFAULT_SENTINEL_PORT, PORT);
    const masterName = firstSet(env, rest, 'SENTINEL_MASTER');
    return {
      kind: 'sentinel',
      sentinels: readHosts(env, `${from}_SENTINEL_HOST`, sentinelPort),
      master: env.text(masterName, DEFAULT_SENTINEL_MASTER, {
        pattern: /^[\w.-]{1,128}$/,
        wanted: 'the name the Sentinels know the master by',
        example: DEFAULT_SENTINEL_MASTER,
      }),
      sentinelUsername: env.text(firstSet(env, rest, 'SENTINEL_USERNAME'), undefined),
      sentinelPassword: env.secret(firstSet(env, rest, 'SENTINEL_PASSWORD')),
      database,
      ...access,
    };
  }
  return {
    kind: 'standalone',
    host: withoutBrackets(env.text(pick('HOST'), DEFAULT_REDIS_HOST, HOST_RULE)),
    port: env.integer(pick('PORT'), DEFAULT_REDIS_PORT, PORT),
    database,
    ...access,
  };
}

/** The same Redis has the same text, so that roles may share a connection. Holds passwords: not for a log. */
export function redisIdentity(config: RedisConfig): string {
  return JSON.stringify(config, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      fields.map(([name, field]) => [name, field instanceof Secret ? field.reveal() : field]),
    );
  });
}

/** Where it is, fit for a log: no credentials. */
export function describeRedis(config: RedisConfig): string {
  switch (config.kind) {
    case 'standalone':
      return `${config.host}:${config.port}/${config.database}`;
    case 'sentinel':
      return `sentinel ${config.master} (${config.sentinels.map(({ host, port }) => `${host}:${port}`).join(',')})/${config.database}`;
    case 'cluster':
      return `cluster ${config.nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`;
  }
}

const HOST_RULE = {
  pattern: HOST_PATTERN,
  wanted: 'a host name or IP address',
  example: 'localhost',
};

/** Name of the first variable that is set; when none is, of the one to set. */
function firstSet(env: Env, families: readonly string[], part: string): string {
  return `${families.find((family) => env.has(`${family}_${part}`)) ?? families[0] ?? 'REDIS'}_${part}`;
}

/** TLS when asked for, and when its files or names are given without a word on it: half of it would be plain TCP. */
function readTls(env: Env, pick: (part: string) => string): TlsConfig | undefined {
  const tls: TlsConfig = {
    caFile: env.text(pick('TLS_CA'), undefined),
    certFile: env.text(pick('TLS_CERT'), undefined),
    keyFile: env.text(pick('TLS_KEY'), undefined),
    serverName: env.text(pick('TLS_SERVERNAME'), undefined),
  };
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    const [has, lacks] = tls.certFile === undefined ? ['TLS_KEY', 'TLS_CERT'] : ['TLS_CERT', 'TLS_KEY'];
    env.fault({
      name: pick(lacks),
      got: `nothing beside ${pick(has)}`,
      wanted: 'the certificate and its key',
      example: `${pick(lacks)}=/etc/ssl/redis-${lacks === 'TLS_KEY' ? 'key' : 'cert'}.pem`,
    });
  }
  const isGiven = Object.values(tls).some((value) => value !== undefined);
  return env.boolean(pick('TLS'), isGiven) ? tls : undefined;
}

function readHosts(env: Env, name: string, defaultPort: number): HostPort[] {
  const hosts: HostPort[] = [];
  for (const entry of env.list(name)) {
    const host = parseHostPort(entry, defaultPort);
    if (host) hosts.push(host);
    else
      env.fault({
        name,
        got: shown(entry),
        wanted: 'a comma list of host or host:port',
        example: `${name}=redis-1:6379,redis-2:6379`,
      });
  }
  return hosts;
}

/** `host`, `host:port` or `[IPv6]:port`; `undefined` when the text is none of them. */
export function parseHostPort(text: string, defaultPort: number): HostPort | undefined {
  const match = /^(\[[\da-fA-F:]+\]|[\w.-]+)(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (!match?.[1] || port < PORT.min || port > PORT.max) return undefined;
  return { host: withoutBrackets(match[1]), port };
}

const DEFAULT_URL: RedisUrl = {
  host: DEFAULT_REDIS_HOST,
  port: DEFAULT_REDIS_PORT,
  database: 0,
  username: undefined,
  password: undefined,
  isTls: false,
};
const NO_TLS_FILES: TlsConfig = {
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  serverName: undefined,
};

function fromUrl(
  env: Env,
  { from, families, tls }: { from: string; families: readonly string[]; tls: TlsConfig | undefined },
): StandaloneConfig {
  const name = `${from}_URL`;
  const url = parseRedisUrl(env.raw(name)?.value ?? '', DEFAULT_REDIS_PORT);
  if (url && url.database <= MAX_REDIS_DATABASE) checkBeside(env, from, url);
  else {
    env.fault({
      name,
      got: 'a URL that is not one of Redis (not shown, it may hold a password)',
      wanted: 'redis://[user:password@]host[:port][/0-15], or rediss:// for TLS, special characters as %41',
      example: `${name}=redis://localhost:6379/0`,
    });
  }
  const { isTls, ...where } = url ?? DEFAULT_URL;
  const before = families.slice(0, families.indexOf(from));
  const own = (part: string) => `${before.find((family) => env.has(`${family}_${part}`)) ?? from}_${part}`;
  return {
    kind: 'standalone',
    host: where.host,
    port: env.integer(own('PORT'), where.port, PORT),
    database: env.integer(own('DATABASE'), where.database, { min: 0, max: MAX_REDIS_DATABASE }),
    username: env.text(own('USERNAME'), where.username),
    password:
      env.secret(own('PASSWORD')) ?? (where.password === undefined ? undefined : new Secret(where.password)),
    tls: isTls ? (tls ?? NO_TLS_FILES) : tls,
  };
}

/** Two settings that differ: whoever wrote them believes in both, so neither is passed over. */
function checkBeside(env: Env, family: string, place: RedisUrl): void {
  const beside: [string, string][] = [
    ['HOST', place.host],
    ['PORT', String(place.port)],
    ['DATABASE', String(place.database)],
    ['USERNAME', place.username ?? ''],
    ['PASSWORD', place.password ?? ''],
  ];
  for (const [part, value] of beside) {
    const other = env.raw(`${family}_${part}`);
    if (!other || other.value === value) continue;
    env.fault({
      name: `${family}_URL and ${family}_${part}`,
      got: 'two different values (not shown, the URL may hold a password)',
      wanted: 'one of them, or the same in both',
      example: `${family}_${part}=`,
    });
  }
}
