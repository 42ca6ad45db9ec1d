/** This file owns the calls that tests of cache bodies make, and what they look at afterwards. */
import { expect } from 'vitest';
import type { TestApi } from './harness.ts';

export const JSON_TYPE = { 'Content-Type': 'application/json' };

export function post(api: TestApi, body: string): Promise<Response> {
  return api.call('/api/v2/redis', { method: 'POST', body, headers: JSON_TYPE });
}

export function put(
  api: TestApi,
  key: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  const path = key === '' ? '/api/v2/redis' : `/api/v2/redis/${key}`;
  return api.call(path, { method: 'PUT', body, headers: { ...JSON_TYPE, ...headers } });
}

export async function textOf(api: TestApi, key: string): Promise<string> {
  return await (await api.call(`/api/v2/redis/${key}`)).text();
}

export async function valuesOf(api: TestApi, keys: string): Promise<unknown[]> {
  const { resource } = (await (await api.call(`/api/v2/redis?keys=${keys}`)).json()) as {
    resource: { value?: unknown }[];
  };
  return resource.map(({ value }) => value);
}

export async function ttlOf(api: TestApi, key: string): Promise<number> {
  return ((await (await api.call(`/api/v2/redis/${key}?include_ttl=true`)).json()) as { ttl: number }).ttl;
}

export async function reasonOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { context: { reason: string } } }).error.context.reason;
}

/** So many seconds left, or a few less on a machine that was busy meanwhile. */
export function about(seconds: number): number {
  return expect.toBeOneOf([0, 1, 2, 3].map((less) => seconds - less));
}
