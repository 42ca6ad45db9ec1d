/**
 * This file owns the one Redis of a test run: started as `npm start` starts it before the first test, stopped after the last.
 * The tests are the user of docs/security.md there, and a run in which Redis has refused that user anything has failed.
 */
import { rm } from 'node:fs/promises';
import { Env, readRoles } from '@sluice/config';
import { close, connect } from '@sluice/redis';
import { startEmbeddedRedis } from '@sluice/redis/embedded';
import { serverFolder, TEST_REDIS_ADMIN_URL, TEST_REDIS_URL } from '@sluice/redis/testing';
import { PRODUCT_USER, productUser, refusalsOf } from './least-privilege.ts';

/** `testRedis` makes the prefixes. */
const PREFIXES = 't[0-9a-f]*';
/** Of the tests that use the session store as a program of its own does. */
const PROGRAMS = ['express'];
const LOG_LENGTH = 1_000;

export default async function startRedis(): Promise<() => Promise<void>> {
  if (process.env[TEST_REDIS_URL]) return async () => undefined;
  const directory = await serverFolder('test');
  const password = 'of-the-product';
  const settings = [
    `acllog-max-len ${LOG_LENGTH}`,
    ...productUser({ prefix: PREFIXES, password, programs: PROGRAMS }),
  ];
  const redis = await startEmbeddedRedis({ directory, settings });
  process.env[TEST_REDIS_ADMIN_URL] = redis.url;
  process.env[TEST_REDIS_URL] = `redis://${PRODUCT_USER}:${password}@127.0.0.1:${redis.port}/0`;
  return async () => {
    const refused = await refusedTo(redis.url);
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
    if (refused.length > 0) throw new Error(`Redis has refused the product:\n${refused.join('\n')}`);
  };
}

async function refusedTo(url: string): Promise<string[]> {
  const config = readRoles(new Env({ REDIS_URL: url })).redis.cache;
  const admin = connect({ config, profile: 'worker', name: 'test-acl-log' });
  try {
    const refusals = refusalsOf(await admin.call('ACL', 'LOG', LOG_LENGTH));
    // Who gives a wrong password was asked to by a test; durability `aof` does without CONFIG, as the page says.
    return refusals.filter(
      (each) =>
        each.startsWith(`${PRODUCT_USER} `) &&
        !each.startsWith(`${PRODUCT_USER} auth `) &&
        !each.includes(' config|get '),
    );
  } finally {
    await close(admin);
  }
}
