import { keyspace } from '@sluice/config';
import { redisFault, untilReady } from '@sluice/redis';
import { type TestContext, testServer } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { Channels } from '../src/channels.ts';
import { json, takeAll, valuesOf } from './setup.ts';

test('every reader ends at once when Redis goes away, and comes back where it was', async (t) => {
  const { channels, server, clients } = await setup(t, {
    settings: ['appendonly yes', 'appendfsync always'],
  });
  const readers = await Promise.all(
    [1, 2, 3].map((n) => channels.subscribe({ channel: `c${n}`, owner: 'a' })),
  );
  const [first] = readers;
  await channels.publish('c1', json(1), { count: 10, ms: 60_000 });
  if (first) await takeAll(first, 1);
  // What was published has come on the subscriber connection, so that no reader looks into the log twice.
  await clients[1]?.ping();
  const waiting = Promise.all(readers.map((reader) => reader.take(30_000)));
  // Through the connection that the log is read by: the readers have read it, and listen.
  await clients[0]?.ping();

  await server.kill();
  const left = await waiting;

  expect(left).toEqual([[], [], []]);
  expect(readers.map(({ ending }) => ending)).toEqual([
    'redis_unavailable',
    'redis_unavailable',
    'redis_unavailable',
  ]);
  expect(channels.readers).toBe(0);
  await server.start();
  await Promise.all(clients.map((client) => untilReady(client, 10_000)));
  const again = await channels.subscribe({ channel: 'c1', owner: 'a', after: first?.position });
  await channels.publish('c1', json(2), { count: 10, ms: 60_000 });
  expect(valuesOf(await takeAll(again, 1))).toEqual([2]);
});

test('while Redis is away nobody begins to read and nothing is published, and both say so within two seconds', async (t) => {
  const { channels, server } = await setup(t);
  await server.kill();
  const startedAt = performance.now();

  const outcomes = await Promise.allSettled([
    channels.subscribe({ channel: 'c', owner: 'a' }),
    channels.subscribe({ channel: 'c', owner: 'a', after: '0' }),
    channels.publish('c', json(1)),
  ]);

  expect(performance.now() - startedAt).toBeLessThan(2_000);
  for (const outcome of outcomes) {
    expect(redisFault((outcome as PromiseRejectedResult).reason)?.kind).toBe('unavailable');
  }
  expect(channels.readers).toBe(0);
});

test('a Redis that falls silent ends the readers, too', async (t) => {
  const { channels, server, clients } = await setup(t, { pingEveryMs: 100 });
  const reader = await channels.subscribe({ channel: 'c', owner: 'a' });
  const waiting = reader.take(60_000);
  // Through the connection that the log is read by: the reader has read it, and listens.
  await clients[0]?.ping();

  server.pause();
  const taken = await waiting;
  server.resume();

  expect(taken).toEqual([]);
  expect(reader.ending).toBe('redis_unavailable');
});

test('while the subscriber connection alone is away nobody begins to read, and is told at once', async (t) => {
  const { channels, clients } = await setup(t);
  clients[1]?.disconnect();
  await expect.poll(() => clients[1]?.status).toBe('end');
  const startedAt = performance.now();

  const refused = await channels.subscribe({ channel: 'c', owner: 'a' }).catch((error: unknown) => error);

  expect(redisFault(refused)?.kind).toBe('unavailable');
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(channels.readers).toBe(0);
});

async function setup(t: TestContext, options: { settings?: string[]; pingEveryMs?: number } = {}) {
  const server = await testServer(t, options.settings ? { settings: options.settings } : {});
  const [client, subscriber] = [server.connect('request'), server.connect('subscriber')];
  await Promise.all([untilReady(client, 5_000), untilReady(subscriber, 5_000)]);
  const { pingEveryMs } = options;
  const channels = new Channels({
    client,
    subscriber,
    keys: keyspace('t', { isCluster: false }),
    ...(pingEveryMs !== undefined && { pingEveryMs }),
  });
  channels.start();
  t.onTestFinished(() => channels.stop());
  return { channels, server, clients: [client, subscriber] };
}
