/** This file owns what the tests of cache services made at run time share: calls, and what is looked up behind them. */
import { TEST_REDIS_URL } from '@sluice/redis/testing';
import { expect } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

export const PATH = '/api/v2/system/service';
export const PASSWORD = 'canary-password-0123456789';
export const ORDERS = {
  name: 'orders',
  label: 'Orders Cache',
  description: 'Cached orders',
  type: 'cache_redis',
  config: { default_ttl: 5 },
};

export const post = (api: TestApi, json: unknown, key?: string) =>
  api.call(PATH, { method: 'POST', json, ...(key && { key }) });

export async function created(api: TestApi, json: unknown): Promise<Record<string, unknown>> {
  const answer = await post(api, { resource: [json] });
  const body = (await answer.json()) as { resource: Record<string, unknown>[] };
  expect(answer.status, JSON.stringify(body)).toBe(201);
  return body.resource[0] as Record<string, unknown>;
}

/** Where the run's Redis is, as the form of a service has it. */
export function place() {
  const { hostname, port, pathname, username, password } = new URL(process.env[TEST_REDIS_URL] ?? '');
  return {
    host: hostname,
    port: Number(port),
    database_index: Number(pathname.slice(1) || 0),
    ...(username && { username }),
    ...(password && { password }),
  };
}

/** Two servers of one installation. */
export async function startTwo(t: Parameters<typeof startApi>[0]) {
  const SLUICE_SECRET = 'one secret of the whole installation';
  const first = await startApi(t, { SLUICE_SECRET });
  const second = await startApi(t, { SLUICE_SECRET, REDIS_PREFIX: first.redis.prefix });
  return { first, second };
}

export const within2s = { timeout: 2_000, interval: 20 };

export async function reasonOf(answer: Response): Promise<unknown> {
  const body = (await answer.json()) as { error: { context: { reason: string } } };
  return [answer.status, body.error.context.reason];
}

export async function dumpOf({ redis: { client } }: TestApi, key: string): Promise<string> {
  switch (await client.type(key)) {
    case 'string':
      return (await client.get(key)) ?? '';
    case 'hash':
      return JSON.stringify(await client.hgetall(key));
    case 'stream':
      return JSON.stringify(await client.xrange(key, '-', '+'));
    case 'list':
      return JSON.stringify(await client.lrange(key, 0, -1));
    case 'set':
      return JSON.stringify(await client.smembers(key));
    default:
      return JSON.stringify(await client.zrange(key, '0', '-1'));
  }
}
