/** This file owns the command line's environment: the same variables the API and the worker read. */
import { join, resolve } from 'node:path';
import {
  Env,
  type EnvironmentVariables,
  namesRedis,
  parseServices,
  type RolesConfig,
  readRoles,
  readServicesText,
  type Secret,
  type ServiceConfig,
} from '@sluice/config';

export interface CliConfig {
  /** What child processes inherit. */
  environment: EnvironmentVariables;
  roles: RolesConfig;
  /** False: nobody said where Redis is, and we run our own. */
  isRedisNamed: boolean;
  /** Absolute. */
  dataDirectory: string;
  /** The folder of our own Redis. */
  redisDirectory: string;
  host: string;
  /** 0: any free one. */
  port: number;
  /** 0: any free one, the worker's own default first. */
  workerHealth: { host: string; port: number };
  masterSecret: Secret | undefined;
  /** Then none is generated. */
  isFirstKeyGiven: boolean;
  shutdownDeadlineMs: number;
}

/** What `sluice doctor` examines: what the API and the worker read of Redis. */
export interface DoctorConfig {
  roles: RolesConfig;
  services: readonly ServiceConfig[];
  isRedisNamed: boolean;
  /** Absolute; the master secret may lie there. */
  dataDirectory: string;
  /** The folder of our own Redis. */
  redisDirectory: string;
  masterSecret: Secret | undefined;
  /** What the Redis that `sluice up` runs is; `undefined`: it is not that one. */
  ownRedis: string | undefined;
  /** As it is written; it means our own client in any case. */
  redisClient: string | undefined;
  allowsQueryCredentials: boolean;
}

/** Options of a command that stand before the environment. */
export interface CliOverrides {
  dataDir?: string | undefined;
  host?: string | undefined;
  port?: string | undefined;
}

const DEFAULT_DATA_DIRECTORY = '.sluice';
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 8080;
const DEFAULT_SHUTDOWN_DEADLINE_SECONDS = 25;

/** Where a running API is, and who asks it. */
export interface ApiAddress {
  /** Without the API's own path. */
  url: string;
  key: Secret;
}

const DEFAULT_API_URL = `http://localhost:${DEFAULT_PORT}`;
/** What a header can carry (RFC 9110 §5.5). `fetch` would tell anything else back, with the key in it. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;

/** Options stand before the environment. Throws `ConfigError` with every fault, none of which tells a secret. */
export function readApiAddress(
  variables: EnvironmentVariables,
  { url, key }: { url?: string | undefined; key?: string | undefined } = {},
): ApiAddress {
  const env = new Env({
    ...variables,
    ...(url !== undefined && { SLUICE_URL: url }),
    ...(key !== undefined && { SLUICE_API_KEY: key }),
  });
  const address = env.text('SLUICE_URL', DEFAULT_API_URL);
  const secret = env.secret('SLUICE_API_KEY');
  if (!isApiUrl(address)) {
    env.fault({
      name: 'SLUICE_URL or --url',
      got: 'another text',
      wanted: 'the address of the API, http or https, without user, password, ? and #',
      example: `SLUICE_URL=${DEFAULT_API_URL}`,
    });
  }
  if (secret === undefined || !HEADER_TEXT.test(secret.reveal())) {
    env.fault({
      name: 'SLUICE_API_KEY or --key',
      got: secret === undefined ? 'nothing' : 'a text with blanks, line ends or letters beyond ASCII',
      wanted: 'an API key, as `npx sluice keys create` prints it',
      example: 'SLUICE_API_KEY=sk_...',
    });
  }
  env.finish();
  // `finish` has thrown when there is none.
  return { url: address.replace(/\/+$/, ''), key: secret as Secret };
}

function isApiUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '');
}

/** Throws `ConfigError` with every fault. */
export function readConfig(variables: EnvironmentVariables, overrides: CliOverrides = {}): CliConfig {
  const { dataDir, host, port } = overrides;
  const environment = {
    ...variables,
    ...(dataDir !== undefined && { SLUICE_DATA_DIR: dataDir }),
    ...(host !== undefined && { HOST: host }),
    ...(port !== undefined && { PORT: port }),
  };
  const env = new Env(environment);
  const dataDirectory = resolve(env.text('SLUICE_DATA_DIR', DEFAULT_DATA_DIRECTORY));
  const config: CliConfig = {
    environment,
    roles: readRoles(env),
    isRedisNamed: namesRedis(env),
    dataDirectory,
    redisDirectory: join(dataDirectory, 'redis'),
    host: env.text('HOST', DEFAULT_HOST),
    port: env.integer('PORT', DEFAULT_PORT, { min: 0, max: 65_535 }),
    workerHealth: {
      host: env.text('WORKER_HEALTH_HOST', DEFAULT_HOST),
      port: env.integer('WORKER_HEALTH_PORT', 0, { min: 0, max: 65_535 }),
    },
    masterSecret: env.secret('SLUICE_SECRET', { minLength: 32 }),
    isFirstKeyGiven: env.has('SLUICE_API_KEY'),
    shutdownDeadlineMs:
      env.integer('SHUTDOWN_DEADLINE_SECONDS', DEFAULT_SHUTDOWN_DEADLINE_SECONDS, { min: 1, max: 3_600 }) *
      1_000,
  };
  env.finish();
  return config;
}

/** Throws `ConfigError` with every fault. */
export function readDoctorConfig(
  variables: EnvironmentVariables,
  { dataDir }: Pick<CliOverrides, 'dataDir'> = {},
): DoctorConfig {
  const env = new Env({ ...variables, ...(dataDir !== undefined && { SLUICE_DATA_DIR: dataDir }) });
  const roles = readRoles(env);
  const dataDirectory = resolve(env.text('SLUICE_DATA_DIR', DEFAULT_DATA_DIRECTORY));
  const config: DoctorConfig = {
    roles,
    services: parseServices({ ...readServicesText(env), env, roles }),
    isRedisNamed: namesRedis(env),
    dataDirectory,
    redisDirectory: join(dataDirectory, 'redis'),
    masterSecret: env.secret('SLUICE_SECRET', { minLength: 32 }),
    ownRedis: undefined,
    redisClient: env.text('REDIS_CLIENT', undefined),
    allowsQueryCredentials: env.boolean('ALLOW_QUERY_CREDENTIALS', false),
  };
  env.finish();
  return config;
}
