import { TEST_REDIS_URL, testRedis } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { runProgram } from '../src/program.ts';
import { dataDirectory } from './sluice.ts';

test('acknowledges the data of a role, and marks it when it is new', async (t) => {
  const redis = await testRedis(t);
  const told: string[] = [];
  const status = await runProgram(['dataset', 'acknowledge', '--role', 'session', '--json'], {
    variables: {
      REDIS_URL: process.env[TEST_REDIS_URL],
      REDIS_PREFIX: redis.prefix,
      SLUICE_DATA_DIR: await dataDirectory(t),
    },
    out: (text: string) => void told.push(text),
    err: (text: string) => void told.push(text),
  } as Parameters<typeof runProgram>[1]);

  const [key] = await redis.allKeys();
  const mark = await redis.client.hgetall(key as string);
  expect([status, key]).toEqual([0, `${redis.prefix}:system:dataset:session`]);
  expect(JSON.parse(told.join(''))).toEqual({
    role: 'session',
    epoch: mark.epoch,
    acknowledgedAt: Number(mark.acknowledgedAt),
  });
});
