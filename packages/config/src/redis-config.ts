/** This file owns the description of one Redis: where it is, how to enter. It opens nothing. */
import { type Env, Secret } from './env.ts';

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
 * `REDIS_HOST`); single settings it leaves out (port, password, …) come from the families after it, except beside a URL,
 * which says everything itself.
 */
export function readRedisConfig(env: Env, families: readonly string[]): RedisConfig {
  const from = families.find((family) => WHERE.some((part) => env.has(`${family}_${part}`))) ?? 'REDIS';
  const rest = families.slice(families.indexOf(from));
  const pick = (part: string) => {
    const family = families.find((candidate) => env.has(`${candidate}_${part}`));
    return `${family ?? from}_${part}`;
  };
  if (env.has(`${from}_URL`)) return fromUrl(env, `${from}_URL`, readTls(env, pick));

  const access = {
    username: env.text(pick('USERNAME'), undefined),
    password: env.secret(pick('PASSWORD')),
    tls: env.boolean(pick('TLS'), false) ? readTls(env, pick) : undefined,
  };
  const database = env.integer(pick('DATABASE'), 0, { min: 0, max: MAX_REDIS_DATABASE });
  if (env.has(`${from}_CLUSTER_NODES`)) {
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
    host: env.text(pick('HOST'), DEFAULT_REDIS_HOST, HOST_RULE),
    port: env.integer(pick('PORT'), DEFAULT_REDIS_PORT, PORT),
    database,
    ...access,
  };
}

/** The same Redis has the same text, so that roles may share a connection. Holds the password: not for a log. */
export function redisIdentity(config: RedisConfig): string {
  return JSON.stringify({ ...config, password: config.password?.reveal() ?? null });
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

function firstSet(env: Env, families: readonly string[], part: string): string {
  return `${families.find((family) => env.has(`${family}_${part}`)) ?? families[0] ?? 'REDIS'}_${part}`;
}

function readTls(env: Env, pick: (part: string) => string): TlsConfig {
  return {
    caFile: env.text(pick('TLS_CA'), undefined),
    certFile: env.text(pick('TLS_CERT'), undefined),
    keyFile: env.text(pick('TLS_KEY'), undefined),
    serverName: env.text(pick('TLS_SERVERNAME'), undefined),
  };
}

function readHosts(env: Env, name: string, defaultPort: number): HostPort[] {
  const hosts: HostPort[] = [];
  for (const entry of env.list(name)) {
    const host = parseHostPort(entry, defaultPort);
    if (host) hosts.push(host);
    else
      env.fault({
        name,
        got: `'${entry}'`,
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
  return { host: match[1].replace(/^\[|\]$/g, ''), port };
}

/** redis://[[user]:password@]host[:port][/database], rediss:// for TLS. */
function fromUrl(env: Env, name: string, tls: TlsConfig): StandaloneConfig {
  const text = env.raw(name)?.value ?? '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const database = Number(url?.pathname.slice(1) || '0');
  const isValid =
    url !== undefined &&
    ['redis:', 'rediss:'].includes(url.protocol) &&
    url.hostname !== '' &&
    Number.isInteger(database) &&
    database >= 0 &&
    database <= MAX_REDIS_DATABASE;
  if (!isValid) {
    env.fault({
      name,
      got: 'a URL that is not one of Redis (not shown, it may hold a password)',
      wanted: 'redis://[user:password@]host[:port][/0-15], or rediss:// for TLS',
      example: `${name}=redis://localhost:6379/0`,
    });
  }
  return {
    kind: 'standalone',
    host: url?.hostname.replace(/^\[|\]$/g, '') || DEFAULT_REDIS_HOST,
    port: Number(url?.port || DEFAULT_REDIS_PORT),
    database: isValid ? database : 0,
    username: url?.username ? decodeURIComponent(url.username) : undefined,
    password: url?.password ? new Secret(decodeURIComponent(url.password)) : undefined,
    tls: url?.protocol === 'rediss:' ? tls : undefined,
  };
}
