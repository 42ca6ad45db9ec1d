/**
 * This file owns the one Redis of a test run: started as `npm start` starts it before the first test, stopped after the last.
 * The tests are the user of docs/security.md there, and a run in which Redis has refused that user anything has failed.
 */
import { rm } from 'node:fs/promises';
import { Env, readRoles } from '@sluice/config';
import { startEmbeddedRedis } from '@sluice/redis/embedded';
import {
  PRODUCT_PASSWORD,
  productUrl,
  productUser,
  Refusals,
  serverFolder,
  TEST_REDIS_ADMIN_URL,
  TEST_REDIS_URL,
} from '@sluice/redis/testing';

/** `testRedis` makes the prefixes. */
const PREFIXES = 't[0-9a-f]*';
/** Of the tests that use the session store as a program of its own does. */
const PROGRAMS = ['express'];

export default async function startRedis(): Promise<() => Promise<void>> {
  if (process.env[TEST_REDIS_URL]) return async () => undefined;
  const directory = await serverFolder('test');
  const settings = productUser({ prefix: PREFIXES, password: PRODUCT_PASSWORD, programs: PROGRAMS });
  const redis = await startEmbeddedRedis({ directory, settings });
  process.env[TEST_REDIS_ADMIN_URL] = redis.url;
  process.env[TEST_REDIS_URL] = productUrl(redis.port);
  return async () => {
    const refusals = new Refusals(readRoles(new Env({ REDIS_URL: redis.url })).redis.cache);
    await refusals.collect();
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
    refusals.assertNone();
  };
}
