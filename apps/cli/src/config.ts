/** This file owns the command line's environment: the same variables the API and the worker read. */
import { join, resolve } from 'node:path';
import {
  Env,
  type EnvironmentVariables,
  namesRedis,
  type RolesConfig,
  readRoles,
  type Secret,
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
