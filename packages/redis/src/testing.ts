/** This file owns what tests of other packages need: a real Redis, a prefix of their own, nothing left behind. */
import { randomBytes } from 'node:crypto';
import { Env, type Keyspace, keyspace, type RedisConfig, readRoles } from '@sluice/config';
import { close, connect, type Profile, type RedisClient, untilReady } from './connect.ts';
import { scanKeys, unlinkByPrefix } from './scan.ts';
import type { TestContext } from './testing-server.ts';

export { freePort } from './embedded/port.ts';
export { type TestContext, type TestServer, testServer } from './testing-server.ts';
export { type TestCluster, type TestSentinel, testCluster, testSentinel } from './testing-topology.ts';
export { waitaofProgram } from './testing-waitaof.ts';

export interface TestRedis {
  config: RedisConfig;
  client: RedisClient;
  keys: Keyspace;
  /** This test's own; every key of the test begins with it and is removed at its end. */
  prefix: string;
  connect(profile: Profile): RedisClient;
  /** All keys of this test, sorted. */
  allKeys(): Promise<string[]>;
}

/** Where the run's Redis listens; set by `test/redis-server.ts` before the first test. */
export const TEST_REDIS_URL = 'SLUICE_TEST_REDIS_URL';

/** A client on the run's Redis under a fresh prefix; both go when the test ends. */
export async function testRedis(t: TestContext, options: { profile?: Profile } = {}): Promise<TestRedis> {
  const config = testRedisConfig();
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const opened: RedisClient[] = [];
  const open = (profile: Profile) => {
    const client = connect({ config, profile, name: 'test' });
    opened.push(client);
    return client;
  };
  const client = open(options.profile ?? 'request');
  await untilReady(client, 5_000);
  t.onTestFinished(async () => {
    const sweeper = connect({ config, profile: 'worker', name: 'test-sweeper' });
    await unlinkByPrefix(sweeper, prefix);
    await Promise.all([...opened, sweeper].map((each) => close(each)));
  });
  return {
    config,
    client,
    prefix,
    keys: keyspace(prefix, { isCluster: false }),
    connect: open,
    async allKeys() {
      const found: string[] = [];
      for await (const page of scanKeys(client, prefix)) found.push(...page);
      return [...new Set(found)].sort();
    },
  };
}

export function testRedisConfig(): RedisConfig {
  const url = process.env[TEST_REDIS_URL];
  if (!url) throw new Error(`${TEST_REDIS_URL} is not set: run the tests by 'npm test' or 'npx vitest run'`);
  return readRoles(new Env({ REDIS_URL: url })).redis.cache;
}
