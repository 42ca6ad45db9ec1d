import { randomBytes } from 'node:crypto';
import { Cache, cacheKeys, InvalidationBus, RedisDriver } from '@sluice/cache';
import { keyspace } from '@sluice/config';
import { close, connect, type RedisClient, unlinkByPrefix } from '@sluice/redis';
import { type TestCluster, type TestContext, testCluster } from '@sluice/redis/testing';
import { systemClock } from '@sluice/runtime';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cacheSuite } from './cache-suite.ts';
import { entrySuite } from './entry-suite.ts';
import type { CacheSettings, Rig } from './setup.ts';
import { sharingSuite } from './sharing-suite.ts';

let client: RedisClient;
let cluster: TestCluster;
const cleanUps: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  cluster = await testCluster({ onTestFinished: (cleanUp) => cleanUps.push(cleanUp) });
  const { config } = cluster;
  client = connect({ config, profile: 'request', name: 'cluster-test' });
  cleanUps.push(() => close(client));
  await vi.waitFor(() => client.set('t:cache:ready', 1), { timeout: 10_000 });
});

afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

async function clusterRig(t: TestContext, settings: CacheSettings = {}): Promise<Rig> {
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const keys = keyspace(prefix, { isCluster: true });
  const open = (service: string, more: CacheSettings = settings) =>
    new Cache({ name: service, driver: new RedisDriver({ client, keyspace: keys, service }), ...more });
  t.onTestFinished(async () => void (await unlinkByPrefix(client, prefix)));
  return {
    cache: open('books'),
    open,
    async age(key, seconds) {
      const entry = `${prefix}:cache:books:${key}`;
      const leftMs = await client.pttl(entry);
      if (leftMs > 0) await client.pexpire(entry, leftMs - seconds * 1_000);
    },
  };
}

cacheSuite('a Redis Cluster', clusterRig);
sharingSuite('a Redis Cluster', clusterRig);
entrySuite('a Redis Cluster', clusterRig);

describe('keys in a Redis Cluster', () => {
  it.each(['k', 'a}b', '{}', '{x}', '{', 'x{y}z{w}', '}{', 'ключ{1}'])(
    'have lease and entry of %j in one slot',
    async (key) => {
      const keys = cacheKeys(keyspace('p', { isCluster: true }), 'books', {
        isCluster: true,
        entryPrefix: undefined,
      });
      const entry = keys.entryPrefix + key;

      const slots = await Promise.all(
        [entry, keys.lease(entry)].map((each) =>
          cluster.servers[0]?.admin().call('CLUSTER', 'KEYSLOT', each),
        ),
      );

      expect(slots[0]).toBe(slots[1]);
    },
  );
});

describe('values near the process in a Cluster', () => {
  it('are dropped when another process changes them, told by the master of the bus alone', async (t) => {
    const keys = keyspace(`t${randomBytes(6).toString('hex')}`, { isCluster: true });
    const channel = cacheKeys(keys, 'books', { isCluster: true, entryPrefix: undefined }).busChannel;
    const open = async () => {
      const subscriber = connect({ config: cluster.config, profile: 'subscriber', name: 'bus' });
      t.onTestFinished(() => close(subscriber));
      const bus = new InvalidationBus({ publisher: client, subscriber, channel, clock: systemClock });
      const driver = new RedisDriver({ client, keyspace: keys, service: 'books' });
      const cache = new Cache({ name: 'books', driver, near: { bus } });
      await cache.start();
      t.onTestFinished(() => cache.stop());
      await vi.waitFor(() => expect(bus.isHeard).toBe(true), 5_000);
      return cache;
    };
    const [here, there] = [await open(), await open()];
    await there.set('k', 'before');
    await vi.waitFor(async () => expect((await here.get('k'))?.value).toBe('before'));

    await there.set('k', 'after');

    await vi.waitFor(async () => expect((await here.get('k'))?.value).toBe('after'));
    const heard = await Promise.all(
      cluster.servers.map((server) => server.admin().call('PUBSUB', 'SHARDCHANNELS', channel)),
    );
    expect(heard.flat()).toEqual([channel]);
  });
});
