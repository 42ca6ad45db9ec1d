/** This file owns a running API for tests: real server on a free port, real Redis under a prefix of the test's own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEST_REDIS_URL, type TestContext, type TestRedis, testRedis } from '@sluice/redis/testing';
import { createLog, startAll } from '@sluice/runtime';
import { compose } from '../src/compose.ts';
import { readConfig } from '../src/config.ts';

export interface TestApi {
  url: string;
  /** A key of all scopes. */
  key: string;
  redis: TestRedis;
  /** Makes a key with these scopes and waits until the API knows it. */
  makeKey(scopes: string[]): Promise<string>;
  /** Everything the API has logged, as text. */
  logged(): string;
  /** `fetch` of a path with the key. */
  call(path: string, init?: RequestInit & { json?: unknown; key?: string | null }): Promise<Response>;
}

export const TEST_KEY = 'test-key-0123456789-abcdefgh';

/** An API with its own prefix and data folder; stopped and cleaned when the test ends. `variables` add to its environment. */
export async function startApi(t: TestContext, variables: Record<string, string> = {}): Promise<TestApi> {
  const redis = await testRedis(t);
  const directory = await mkdtemp(join(tmpdir(), 'sluice-api-'));
  const lines: string[] = [];
  const log = createLog({
    name: 'api',
    level: 'info',
    destination: { write: (line) => void lines.push(line) },
  });
  const config = readConfig({
    REDIS_URL: process.env[TEST_REDIS_URL],
    REDIS_PREFIX: redis.prefix,
    CACHE_DRIVER: 'redis',
    SESSION_DRIVER: 'redis',
    PORT: '0',
    SLUICE_API_KEY: TEST_KEY,
    SLUICE_DATA_DIR: directory,
    ...variables,
  });
  const api = await compose(config, log, (line) => void lines.push(line));
  const running = await startAll(api.services);
  t.onTestFinished(async () => {
    await running.stop(5_000);
    await rm(directory, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${api.server.port}`;
  await untilOpen(url);
  return {
    url,
    key: TEST_KEY,
    redis,
    async makeKey(scopes) {
      return (await api.keyRing.create({ label: 'test', scopes })).key;
    },
    logged: () => lines.join(''),
    call(path, { json, key = TEST_KEY, headers, ...init } = {}) {
      return fetch(`${url}${path}`, {
        ...init,
        ...(json !== undefined && { body: JSON.stringify(json) }),
        headers: {
          ...(key !== null && { 'X-DreamFactory-API-Key': key }),
          ...(json !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
      });
    },
  };
}

/** The first key is made as soon as Redis answers; the server listens a little earlier. */
async function untilOpen(url: string): Promise<void> {
  const giveUpAt = Date.now() + 5_000;
  while (Date.now() < giveUpAt) {
    const { status } = await fetch(`${url}/metrics`, { headers: { 'X-DreamFactory-API-Key': TEST_KEY } });
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the API did not open within 5 s');
}
