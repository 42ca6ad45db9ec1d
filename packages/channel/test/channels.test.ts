import { JsonText } from '@sluice/runtime';
import { describe, expect, test } from 'vitest';
import { Channels } from '../src/channels.ts';
import { json, setup, takeAll, topicsOf, valuesOf } from './setup.ts';

const KEEP = { count: 100, ms: 60_000 };

describe('publishing and reading', () => {
  test('a message reaches every reader of its channel, in every process, and no other', async (t) => {
    const { channels, another } = await setup(t);
    const elsewhere = await another();
    const here = await channels.subscribe({ channel: 'orders', owner: 'a' });
    const there = await elsewhere.subscribe({ channel: 'orders', owner: 'a' });
    const other = await channels.subscribe({ channel: 'orders:eu', owner: 'a' });

    const id = await channels.publish('orders', new JsonText('{"n": 12345678901234567890}'));

    const expected = [{ kind: 'message', id: null, text: '{"n": 12345678901234567890}' }];
    expect(id).toBeNull();
    expect(await takeAll(here, 1)).toEqual(expected);
    expect(await takeAll(there, 1)).toEqual(expected);
    expect(await other.take(20)).toEqual([]);
  });

  test('messages come in the order they were published', async (t) => {
    const { channels } = await setup(t);
    const reader = await channels.subscribe({ channel: 'orders', owner: 'a' });

    for (let n = 0; n < 100; n += 1) await channels.publish('orders', json(n), n % 3 === 0 ? KEEP : null);

    const kept = (await takeAll(reader, 100)).filter(({ kind }) => kind === 'message');
    expect(valuesOf(kept)).toHaveLength(100);
    const withIds = kept.flatMap((event) =>
      event.kind === 'message' && event.id ? [JSON.parse(event.text)] : [],
    );
    expect(withIds).toEqual(Array.from({ length: 34 }, (_, at) => at * 3));
  });

  test('a reader gets nothing that was published before it began', async (t) => {
    const { channels } = await setup(t);
    await channels.publish('orders', json('before'), KEEP);

    const reader = await channels.subscribe({ channel: 'orders', owner: 'a' });
    await channels.publish('orders', json('after'), KEEP);

    expect(valuesOf(await takeAll(reader, 1))).toEqual(['after']);
    expect(await reader.take(20)).toEqual([]);
  });

  test('one subscription to Redis serves all readers of a channel, and ends with the last', async (t) => {
    const { channels, redis } = await setup(t);
    const readers = await Promise.all(
      Array.from({ length: 10 }, () => channels.subscribe({ channel: 'orders', owner: 'a' })),
    );
    const whileReading = await redis.client.call('PUBSUB', 'NUMSUB', ...(await topicsOf(redis)));

    for (const reader of readers) reader.end('stopped');

    expect((whileReading as unknown[])[1]).toBe(1);
    expect(channels.readers).toBe(0);
    await expect.poll(() => topicsOf(redis)).toEqual([]);
  });

  test('readers who come and go at once leave the last one reading', async (t) => {
    const { channels, redis } = await setup(t);
    for (let round = 0; round < 20; round += 1) {
      const first = await channels.subscribe({ channel: 'orders', owner: 'a' });
      first.end('stopped');
      const second = await channels.subscribe({ channel: 'orders', owner: 'a' });

      await channels.publish('orders', json(round));

      expect(valuesOf(await takeAll(second, 1))).toEqual([round]);
      second.end('stopped');
    }
    await expect.poll(() => topicsOf(redis)).toEqual([]);
  });

  test('two databases under one prefix are two worlds', async (t) => {
    const { channels, redis, subscriber } = await setup(t, { database: 0 });
    const five = new Channels({ client: redis.client, subscriber, keys: redis.keys, database: 5 });
    five.start();
    t.onTestFinished(() => five.stop());
    const reader = await five.subscribe({ channel: 'orders', owner: 'a' });

    await channels.publish('orders', json('database 0'));
    await five.publish('orders', json('database 5'));

    expect(valuesOf(await takeAll(reader, 1))).toEqual(['database 5']);
  });
});

describe('messages that are kept', () => {
  test('a reader that comes back gets all it missed, then goes on', async (t) => {
    const { channels } = await setup(t);
    const first = await channels.subscribe({ channel: 'orders', owner: 'a' });
    for (let n = 0; n < 3; n += 1) await channels.publish('orders', json(n), KEEP);
    await takeAll(first, 3);
    const seen = first.position;
    first.end('stopped');
    for (let n = 3; n < 103; n += 1) await channels.publish('orders', json(n), { count: 1_000, ms: 60_000 });

    const second = await channels.subscribe({ channel: 'orders', owner: 'a', after: seen });
    const missed = await takeAll(second, 100);
    await channels.publish('orders', json('live'), KEEP);

    expect(valuesOf(missed)).toEqual(Array.from({ length: 100 }, (_, at) => at + 3));
    expect(valuesOf(await takeAll(second, 1))).toEqual(['live']);
  });

  test('a reader that comes back loses and doubles nothing while others publish', async (t) => {
    const { channels, another } = await setup(t, { maxBufferedBytes: 10_000_000 });
    const publisher = await another();
    const total = 300;
    let published = 0;
    const publishing = (async () => {
      while (published < total) {
        await publisher.publish('orders', json(published), { count: 1_000, ms: 60_000 });
        published += 1;
      }
    })();
    const got: unknown[] = [];
    let after = '0';
    while (got.length < total) {
      const reader = await channels.subscribe({ channel: 'orders', owner: 'a', after });
      for (let turn = 0; turn < 5 && got.length < total; turn += 1)
        got.push(...valuesOf(await reader.take(1_000)));
      after = reader.position;
      reader.end('stopped');
    }
    await publishing;

    expect(got).toEqual(Array.from({ length: total }, (_, at) => at));
  });

  test('all that is kept can be read from the beginning', async (t) => {
    const { channels } = await setup(t);
    for (let n = 0; n < 5; n += 1) await channels.publish('orders', json(n), KEEP);

    const reader = await channels.subscribe({ channel: 'orders', owner: 'a', after: '0' });

    expect(valuesOf(await takeAll(reader, 5))).toEqual([0, 1, 2, 3, 4]);
  });

  test('a reader whose place was trimmed away is told of the gap, then gets what is left', async (t) => {
    const { channels } = await setup(t);
    const seen = await channels.publish('orders', json('old'), KEEP);
    const keepFew = { count: 1, ms: 60_000 };
    for (let n = 0; n < 250; n += 1) await channels.publish('orders', json(n), keepFew);

    const reader = await channels.subscribe({ channel: 'orders', owner: 'a', after: seen ?? '' });
    const [gap, ...rest] = await takeAll(reader, 10);

    expect(gap).toEqual({ kind: 'gap', after: seen });
    expect(valuesOf(rest).length).toBeGreaterThan(0);
  });

  test('a reader that began before anything was kept is told when the beginning is gone', async (t) => {
    const { channels } = await setup(t);
    const early = await channels.subscribe({ channel: 'orders', owner: 'a' });
    const place = early.position;
    early.end('stopped');
    await channels.publish('orders', json('first'), { count: 1_000, ms: 60_000 });
    const beforeTrim = await channels.subscribe({ channel: 'orders', owner: 'a', after: place });
    const whole = await beforeTrim.take(1_000);
    for (let n = 0; n < 250; n += 1) await channels.publish('orders', json(n), { count: 1, ms: 60_000 });

    const afterTrim = await channels.subscribe({ channel: 'orders', owner: 'a', after: place });

    expect(place).toBe('0-0');
    expect(valuesOf(whole)).toEqual(['first']);
    expect((await afterTrim.take(1_000))[0]).toEqual({ kind: 'gap', after: '0-0' });
  });

  test('a reader of a log that has expired is told of the gap', async (t) => {
    const { channels, redis } = await setup(t);
    const seen = await channels.publish('orders', json(1), { count: 10, ms: 20 });
    await expect.poll(() => redis.allKeys(), { interval: 5, timeout: 5_000 }).toEqual([]);

    const reader = await channels.subscribe({ channel: 'orders', owner: 'a', after: seen ?? '' });

    expect(await reader.take(20)).toEqual([{ kind: 'gap', after: seen }]);
  });

  test('the log has a TTL, and a shorter promise does not cut a longer one', async (t) => {
    const { channels, redis } = await setup(t);
    await channels.publish('orders', json(1), { count: 10, ms: 60_000 });

    await channels.publish('orders', json(2), { count: 10, ms: 1_000 });

    const [log = ''] = await redis.allKeys();
    expect(log).toBe(`${redis.prefix}:channel:{orders}:log`);
    expect(await redis.client.pttl(log)).toBeGreaterThan(30_000);
  });

  test('a message that is not kept leaves nothing in Redis', async (t) => {
    const { channels, redis } = await setup(t);

    await channels.publish('orders', json(1));

    expect(await redis.allKeys()).toEqual([]);
  });

  test('a kept message that the connection lost is found at the next one', async (t) => {
    const { channels, redis } = await setup(t);
    const reader = await channels.subscribe({ channel: 'orders', owner: 'a' });
    await channels.publish('orders', json(0), KEEP);
    expect(valuesOf(await takeAll(reader, 1))).toEqual([0]);
    const [log = ''] = await redis.allKeys();

    // Level by the time the messages are there, since all goes through one connection.
    const listening = reader.take(5_000);
    await redis.client.xadd(log, '*', 'm', '"lost"', 'n', '2');
    await channels.publish('orders', json(2), KEEP);

    expect(valuesOf(await listening)).toEqual(['lost', 2]);
  });

  test('a kept message that the connection lost is found after a quiet spell', async (t) => {
    const { channels, redis } = await setup(t);
    const reader = await channels.subscribe({ channel: 'orders', owner: 'a' });
    await channels.publish('orders', json(0), KEEP);
    await takeAll(reader, 1);
    const [log = ''] = await redis.allKeys();

    // Level by the time the message is there, since both go through one connection.
    const listening = reader.take(100);
    await redis.client.xadd(log, '*', 'm', '"lost"', 'n', '2');
    const quiet = await listening;

    expect(quiet).toEqual([]);
    expect(valuesOf(await reader.take(1_000))).toEqual(['lost']);
  });
});

describe('bounds', () => {
  test('a reader that is too slow ends with overflow, and the others do not notice', async (t) => {
    const { channels } = await setup(t, { maxBufferedBytes: 1_000 });
    const slow = await channels.subscribe({ channel: 'orders', owner: 'a' });
    const quick = await channels.subscribe({ channel: 'orders', owner: 'a' });
    await slow.take(1);

    const got: unknown[] = [];
    for (let n = 0; n < 20; n += 1) {
      await channels.publish('orders', json('x'.repeat(100)));
      got.push(...(await takeAll(quick, 1)));
    }

    expect(slow.ending).toBe('overflow');
    expect(await slow.take(1)).toEqual([]);
    expect(got).toHaveLength(20);
    expect(channels.readers).toBe(1);
  });

  test('a slow reader of kept messages is never dropped, holds little, and loses none', async (t) => {
    const { channels, redis } = await setup(t, { maxBufferedBytes: 1_000 });
    const slow = await channels.subscribe({ channel: 'orders', owner: 'a' });
    const listening = slow.take(5_000);
    // Through the connection that the log is read by: the reader has read it, and listens.
    await redis.client.ping();

    const many = { count: 1_000, ms: 60_000 };
    for (let n = 0; n < 100; n += 1) await channels.publish('orders', json([n, 'x'.repeat(100)]), many);
    const first = await listening;
    const buffered = await slow.take(1_000);
    const got = [...first, ...buffered, ...(await takeAll(slow, 100 - first.length - buffered.length))];

    expect(slow.ending).toBeUndefined();
    expect(buffered.length).toBeLessThan(10);
    expect(valuesOf(got).map((value) => (value as [number])[0])).toEqual(
      Array.from({ length: 100 }, (_, at) => at),
    );
  });

  test('a reader so slow that its place is trimmed away is told of the gap', async (t) => {
    const { channels } = await setup(t, { maxBufferedBytes: 1_000 });
    const slow = await channels.subscribe({ channel: 'orders', owner: 'a' });
    const listening = slow.take(5_000);
    for (let n = 0; n < 300; n += 1)
      await channels.publish('orders', json('x'.repeat(100)), { count: 1, ms: 60_000 });

    await listening;
    let kinds: string[] = [];
    while (!kinds.includes('gap')) kinds = [...kinds, ...(await slow.take(1_000)).map(({ kind }) => kind)];

    expect(kinds.filter((kind) => kind === 'gap')).toHaveLength(1);
    expect(kinds.at(-1)).toBe('message');
  });

  test('the position is that of what was taken, not of what waits', async (t) => {
    const { channels } = await setup(t);
    const reader = await channels.subscribe({ channel: 'orders', owner: 'a' });
    const listening = reader.take(5_000);
    const first = await channels.publish('orders', json(1), KEEP);
    await listening;

    await channels.publish('orders', json(2), KEEP);
    const passing = await channels.subscribe({ channel: 'other', owner: 'a' });
    await channels.publish('other', json(3));
    await takeAll(passing, 1);

    expect(reader.position).toBe(first);
    await reader.take(1_000);
    expect(reader.position).not.toBe(first);
  });

  test('the longest message passes through an empty buffer, a longer one is refused', async (t) => {
    const { channels } = await setup(t, { maxBufferedBytes: 1_000 });
    const reader = await channels.subscribe({ channel: 'orders', owner: 'a' });
    const longest = json('x'.repeat(64 * 1_024 - 2));

    await channels.publish('orders', longest);

    expect((await takeAll(reader, 1))[0]).toMatchObject({ text: longest.text });
    await expect(channels.publish('orders', json('x'.repeat(64 * 1_024 - 1)))).rejects.toMatchObject({
      code: 'channel_message_too_large',
      details: { bytes: 65_537, max_bytes: 65_536 },
    });
  });

  test('an owner has so many readers, a process has so many, and each end makes room', async (t) => {
    const { channels } = await setup(t, { maxReadersPerOwner: 2, maxReaders: 3 });
    const open = (owner: string) => channels.subscribe({ channel: 'orders', owner });
    const first = await open('a');
    await open('a');

    await expect(open('a')).rejects.toMatchObject({ code: 'channel_readers_of_key_full' });
    await open('b');
    await expect(open('b')).rejects.toMatchObject({ code: 'channel_readers_full' });
    first.end('stopped');
    first.end('overflow');

    expect((await open('a')).ending).toBeUndefined();
    await expect(open('c')).rejects.toMatchObject({ code: 'channel_readers_full' });
    expect([first.ending, channels.readers]).toEqual(['stopped', 3]);
  });

  test('a position that is none is refused', async (t) => {
    const { channels } = await setup(t);
    for (const after of ['', '-', '+', '1', '$', '1-1-1', 'x', '0-0\n']) {
      const refused = channels.subscribe({ channel: 'orders', owner: 'a', after });
      await expect(refused, after).rejects.toMatchObject({ code: 'channel_position_invalid' });
    }
    expect(channels.readers).toBe(0);
  });
});
