/** This file owns the one Redis of a test run: started as `npm start` starts it before the first test, stopped after the last. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedRedis } from '@sluice/redis/embedded';
import { TEST_REDIS_URL } from '@sluice/redis/testing';

export default async function startRedis(): Promise<() => Promise<void>> {
  if (process.env[TEST_REDIS_URL]) return async () => undefined;
  const directory = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const redis = await startEmbeddedRedis({ directory });
  process.env[TEST_REDIS_URL] = redis.url;
  return async () => {
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  };
}
