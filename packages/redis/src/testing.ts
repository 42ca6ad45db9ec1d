/** This file owns what tests of other packages need: a real Redis, a prefix of their own, nothing left behind. */
import { randomBytes } from 'node:crypto';
import { Env, type Keyspace, keyspace, type RedisConfig, readRoles } from '@sluice/config';
import { close, connect, type Profile, type RedisClient, untilReady } from './connect.ts';
import { scanKeys, unlinkByPrefix } from './scan.ts';
import type { TestContext } from './testing-server.ts';

export { freePort } from './embedded/port.ts';
export { serverFolder } from './testing-folder.ts';
export { Refusals, refusalsOf } from './testing-refusals.ts';
export { type TestContext, type TestServer, testServer } from './testing-server.ts';
export { type TestCluster, type TestSentinel, testCluster, testSentinel } from './testing-topology.ts';
export {
  ADMIN_PASSWORD,
  argumentsOf,
  guardedSentinel,
  guardedServer,
  PRODUCT_ENTRY,
  PRODUCT_PASSWORD,
  PRODUCT_USER,
  productUrl,
  productUser,
  publishedLines,
} from './testing-user.ts';
export { waitaofProgram } from './testing-waitaof.ts';

export interface TestRedis {
  config: RedisConfig;
  client: RedisClient;
  keys: Keyspace;
  /** This test's own; every key of the test begins with it and is removed at its end. */
  prefix: string;
  connect(profile: Profile): RedisClient;
  /** Who may everything, as no client of the product may: for what a test does to Redis itself, not for what it tests. */
  admin(): RedisClient;
  /** All keys of this test, sorted. */
  allKeys(): Promise<string[]>;
}

/** Where the run's Redis listens, as the user that the product is; set by `test/redis-server.ts` before the first test. */
export const TEST_REDIS_URL = 'SLUICE_TEST_REDIS_URL';
/** The same Redis, as its administrator; default that of `TEST_REDIS_URL`, for a Redis that knows one user. */
export const TEST_REDIS_ADMIN_URL = 'SLUICE_TEST_REDIS_ADMIN_URL';

/** A client on the run's Redis under a fresh prefix; both go when the test ends. */
export async function testRedis(t: TestContext, options: { profile?: Profile } = {}): Promise<TestRedis> {
  const config = testRedisConfig();
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const opened: RedisClient[] = [];
  const openTo = (target: RedisConfig, profile: Profile) => {
    const client = connect({ config: target, profile, name: 'test' });
    opened.push(client);
    return client;
  };
  const open = (profile: Profile) => openTo(config, profile);
  const client = open(options.profile ?? 'request');
  await untilReady(client, 5_000);
  t.onTestFinished(async () => {
    const sweeper = connect({ config: testAdminConfig(), profile: 'worker', name: 'test-sweeper' });
    await unlinkByPrefix(sweeper, prefix);
    await Promise.all([...opened, sweeper].map((each) => close(each)));
  });
  return {
    config,
    client,
    prefix,
    keys: keyspace(prefix, { isCluster: false }),
    connect: open,
    admin: () => openTo(testAdminConfig(), 'worker'),
    async allKeys() {
      const found: string[] = [];
      for await (const page of scanKeys(client, prefix)) found.push(...page);
      return [...new Set(found)].sort();
    },
  };
}

export function testRedisConfig(): RedisConfig {
  return configOf(process.env[TEST_REDIS_URL]);
}

function testAdminConfig(): RedisConfig {
  return configOf(process.env[TEST_REDIS_ADMIN_URL] ?? process.env[TEST_REDIS_URL]);
}

function configOf(url: string | undefined): RedisConfig {
  if (!url) throw new Error(`${TEST_REDIS_URL} is not set: run the tests by 'npm test' or 'npx vitest run'`);
  return readRoles(new Env({ REDIS_URL: url })).redis.cache;
}
