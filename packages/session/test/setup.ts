/** This file owns what the session tests start from: `Sessions` on a real Redis or a directory of their own. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, type TestRedis, testRedis } from '@sluice/redis/testing';
import type { Clock } from '@sluice/runtime';
import type { SessionDriver } from '../src/driver.ts';
import { FileSessionDriver } from '../src/file-driver.ts';
import type { SessionsOptions } from '../src/options.ts';
import { RedisSessionDriver } from '../src/redis-driver.ts';
import { Sessions } from '../src/sessions.ts';

export type Tuning = Omit<SessionsOptions, 'driver' | 'secret'>;

export interface Setup {
  sessions: Sessions;
  driver: SessionDriver;
  secret: Buffer;
  /** The same store with other settings, as another process would see it. */
  another(tuning?: Tuning): Sessions;
}

export async function onRedis(t: TestContext, tuning: Tuning = {}): Promise<Setup & { redis: TestRedis }> {
  const redis = await testRedis(t);
  const driver = new RedisSessionDriver({ client: redis.client, keys: redis.keys });
  return { redis, ...setupWith(() => driver, tuning) };
}

export async function onFile(
  t: TestContext,
  tuning: Tuning = {},
  clock?: Clock,
): Promise<Setup & { directory: string; driver: FileSessionDriver }> {
  const directory = await testDirectory(t);
  const open = () => new FileSessionDriver({ directory, ...(clock && { clock }) });
  return { directory, ...setupWith(open, tuning) };
}

export async function testDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-session-'));
  t.onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function setupWith<D extends SessionDriver>(open: () => D, tuning: Tuning) {
  const secret = randomBytes(32);
  const driver = open();
  return {
    driver,
    secret,
    sessions: new Sessions({ driver, secret, ...tuning }),
    another: (other: Tuning = tuning) => new Sessions({ driver: open(), secret, ...other }),
  };
}
