/** This file owns how the tests of roles read an environment. */
import { expect } from 'vitest';
import { ConfigError, Env, type EnvironmentVariables, type RedisConfig, readRoles } from '../src/index.ts';

export const CANARY = 'canary-hunter2';
export const LOCAL = {
  kind: 'standalone',
  host: 'localhost',
  port: 6379,
  database: 0,
  username: undefined,
  password: undefined,
  tls: undefined,
};
export const NO_FILES = { caFile: undefined, certFile: undefined, keyFile: undefined, serverName: undefined };

export function read(variables: EnvironmentVariables) {
  const env = new Env(variables);
  const roles = readRoles(env);
  env.finish();
  return roles;
}

export function faults(variables: EnvironmentVariables): string[] {
  try {
    read(variables);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain(CANARY);
    return error.faults.map(({ name }) => name);
  }
}

/** The same for a comparison: a Secret equals every other for a test's eyes. */
export const open = (config: RedisConfig) => ({ ...config, password: config.password?.reveal() });
