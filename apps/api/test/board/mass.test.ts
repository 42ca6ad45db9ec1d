import { type Redis, untilReady } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { boardUnderTest } from './setup.ts';

/** So many in every run; `BOARD_JOBS=200000` and more by command. */
const JOBS = Number(process.env.BOARD_JOBS ?? 20_000);
/** What no command may hold Redis for. A step takes about 2 ms; the rest is for a machine that is busy. */
const SLOW_MS = 50;
const LOT = 5_000;

test('empties, cleans and removes a large queue without holding Redis', {
  timeout: 30_000 + JOBS,
}, async (t) => {
  const server = await testServer(t);
  const [client, operator] = [server.connect('request'), server.admin() as Redis];
  await untilReady(client, 5_000);
  const board = await boardUnderTest(t, { client });
  const key = await board.makeKey(['*']);
  const { keys } = board.redis;
  const base = `${keys.queuePrefix('mail')}:mail:`;
  await client.sadd(`${board.redis.prefix}:jobs:queues`, 'mail');
  const fill = async (place: string) => {
    for (let from = 0; from < JOBS; from += LOT) {
      const lot = client.pipeline();
      for (let n = from; n < Math.min(from + LOT, JOBS); n += 1) {
        const id = `j_${n}`;
        lot.hset(base + id, {
          name: 'a',
          data: '{"to":"ada"}',
          opts: '{}',
          timestamp: n + 1,
          finishedOn: n + 1,
        });
        if (place === 'wait') lot.lpush(base + place, id);
        else lot.zadd(base + place, n + 1, id);
      }
      for (const [error] of (await lot.exec()) ?? []) if (error) throw error;
    }
    await client.hset(`${base}meta`, 'opts.maxLenEvents', 100);
  };
  /** Clicks until nothing is left; answers how many clicks that took. */
  const clickUntilGone = async (path: string, place: string) => {
    const left = () => (place === 'wait' ? client.llen(base + place) : client.zcard(base + place));
    for (let clicks = 1; ; clicks += 1) {
      const response = await board.fetchAs(key, `/api/queues/mail/${path}`, { method: 'PUT' });
      expect([path, response.status]).toEqual([path, 200]);
      if ((await left()) === 0) return clicks;
      expect(clicks).toBeLessThan(1 + JOBS / 50_000);
    }
  };
  const slowest = async () => {
    const entries = (await operator.slowlog('GET', 128)) as [number, number, number, string[]][];
    return entries.map(([, , microseconds, [command, ...args]]) => [command, args[0], microseconds / 1_000]);
  };

  for (const [path, place] of [
    ['empty', 'wait'],
    ['clean/failed', 'failed'],
    ['obliterate', 'completed'],
  ] as const) {
    await fill(place);
    if (path === 'obliterate') await board.fetchAs(key, '/api/queues/mail/pause', { method: 'PUT' });
    await operator.config('SET', 'slowlog-log-slower-than', SLOW_MS * 1_000);
    await operator.slowlog('RESET');
    await clickUntilGone(path, place);
    expect([path, await slowest()]).toEqual([path, []]);
  }

  expect(await client.exists(`${base}j_0`, `${base}j_${JOBS - 1}`, `${base}meta`)).toBe(0);
});
