/** This file owns how tests read a services file: what it says, or what is wrong with it. */
import { expect } from 'vitest';
import { ConfigError, Env, type EnvironmentVariables, parseServices, readRoles } from '../src/index.ts';

export const CANARY = 'canary-hunter2';

export function parse(file: unknown, variables: EnvironmentVariables = {}) {
  const env = new Env(variables);
  const text = file === undefined || typeof file === 'string' ? file : JSON.stringify(file);
  const services = parseServices({ text, origin: 'sluice.config.json', env, roles: readRoles(env) });
  env.finish();
  return services;
}

export function faults(file: unknown, variables: EnvironmentVariables = {}): string[] {
  try {
    parse(file, variables);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain(CANARY);
    return error.faults.map(({ name, got, wanted }) => `${name}: got ${got}, wanted ${wanted}`);
  }
}

export const one = (service: object) => ({ services: [{ name: 'main', type: 'cache_redis', ...service }] });

export const withOptions = (options: object) => one({ config: { host: 'h', options } });
