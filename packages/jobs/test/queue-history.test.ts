import { testRedis } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { queueKeys } from '../src/keys.ts';
import { queueHistory, wholeMinutes } from '../src/queue-history.ts';

const MINUTE_MS = 60_000;
/** The middle of a minute. */
const NOW = 30_000_000 * MINUTE_MS + 30_000;
const minutesAgo = (minutes: number) => String(NOW - minutes * MINUTE_MS);

test.for<[string, number, number[]]>([
  ['in the current minute', 0, [3, 2, 1]],
  ['a minute ago', 1, [4, 3, 2, 1]],
  ['three minutes ago', 3, [0, 0, 4, 3, 2, 1]],
])('counts whole minutes, the youngest first, when the last job ended %s', ([, ago, expected]) => {
  const totals = { count: '104', previousAt: minutesAgo(ago), previousCount: '100' };

  expect(wholeMinutes(totals, ['3', '2', '1'], NOW)).toEqual(expected);
});

test('knows of nothing where nobody has counted', () => {
  expect(wholeMinutes({ count: null, previousAt: null, previousCount: null }, [], NOW)).toEqual([]);
});

test('a silence of years is no longer than the hour', () => {
  const totals = { count: '1', previousAt: '0', previousCount: '0' };

  expect(wholeMinutes(totals, [], NOW).length).toBeLessThan(100);
});

test('tells an hour, the oldest minute first, of both ends', async (t) => {
  const { client, keys } = await testRedis(t);
  const { base } = queueKeys(keys, 'mail');
  const at = { prevTS: minutesAgo(1), prevCount: '10' };
  await client.hset(`${base}metrics:completed`, { ...at, count: '12' });
  await client.rpush(`${base}metrics:completed:data`, '5', '0', '7');
  await client.hset(`${base}metrics:failed`, { ...at, count: '11' });

  const { completed, failed } = await queueHistory(client, queueKeys(keys, 'mail'), NOW);

  expect([completed.length, failed.length]).toEqual([60, 60]);
  expect(completed.slice(-5)).toEqual([0, 7, 0, 5, 2]);
  expect(failed.slice(-2)).toEqual([0, 1]);
  expect(await queueHistory(client, queueKeys(keys, 'none'), NOW)).toEqual({
    completed: Array<number>(60).fill(0),
    failed: Array<number>(60).fill(0),
  });
});
