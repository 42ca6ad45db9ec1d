import { keyspace } from '@sluice/config';
import { close, connect, type Profile, untilReady } from '@sluice/redis';
import { type TestCluster, type TestContext, type TestServer, testCluster } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { Channels } from '../src/channels.ts';
import { json, takeAll, valuesOf } from './setup.ts';

const LONG = { timeout: 60_000 };
const KEEP = { count: 10, ms: 60_000 };

async function setup(t: TestContext, replicas: 0 | 1): Promise<{ channels: Channels; cluster: TestCluster }> {
  const cluster = await testCluster(t, { replicas });
  const open = async (profile: Profile) => {
    const client = connect({ config: cluster.config, profile, name: 'test' });
    t.onTestFinished(() => close(client));
    await untilReady(client, 10_000);
    return client;
  };
  const [client, subscriber] = [await open('request'), await open('subscriber')];
  const channels = new Channels({ client, subscriber, keys: keyspace('t', { isCluster: true }) });
  channels.start();
  t.onTestFinished(() => channels.stop());
  return { channels, cluster };
}

/** How many topics a node hears of. */
async function shardTopics(server: TestServer): Promise<number> {
  return ((await server.admin().call('PUBSUB', 'SHARDCHANNELS')) as string[]).length;
}

test(
  'each channel lives on the master of its slot alone, whichever node a message is published through',
  LONG,
  async (t) => {
    const { channels, cluster } = await setup(t, 0);
    const names = Array.from({ length: 12 }, (_, at) => `channel-${at}`);
    const readers = await Promise.all(names.map((channel) => channels.subscribe({ channel, owner: 'a' })));

    for (const name of names) {
      await channels.publish(name, json(`${name} passing`));
      await channels.publish(name, json(`${name} kept`), KEEP);
    }

    for (const [at, reader] of readers.entries()) {
      expect(valuesOf(await takeAll(reader, 2))).toEqual([`channel-${at} passing`, `channel-${at} kept`]);
    }
    const topics = await Promise.all(cluster.masters.map(shardTopics));
    expect(topics.reduce((sum, each) => sum + each)).toBe(names.length);
    expect(topics.filter((each) => each > 0).length).toBeGreaterThan(1);
    for (const reader of readers) reader.end('stopped');
    await expect.poll(async () => (await Promise.all(cluster.masters.map(shardTopics))).join()).toBe('0,0,0');
  },
);

test(
  'readers end when a master of theirs dies, and come back to its replica where they were',
  LONG,
  async (t) => {
    const { channels, cluster } = await setup(t, 1);
    // Slot 15495: the third master's.
    const reader = await channels.subscribe({ channel: 'a', owner: 'o' });
    await channels.publish('a', json(1), KEEP);
    expect(valuesOf(await takeAll(reader, 1))).toEqual([1]);
    const replica = cluster.replicas[2]?.admin();
    await expect.poll(() => replica?.call('DBSIZE')).toBe(1);

    await cluster.masters[2]?.kill();

    await expect.poll(() => reader.ending, { timeout: 10_000 }).toBe('redis_unavailable');
    const back = async () => {
      const again = await channels.subscribe({ channel: 'a', owner: 'o', after: reader.position });
      await channels.publish('a', json(2), KEEP);
      return valuesOf(await takeAll(again, 1));
    };
    await expect.poll(() => back().catch(() => 'refused'), { timeout: 20_000 }).toEqual([2]);
  },
);

test('readers end when another master takes over their slot, and hear it there', LONG, async (t) => {
  const { channels, cluster } = await setup(t, 0);
  const [target, , source] = cluster.masters.map((server) => server.admin());
  const reader = await channels.subscribe({ channel: 'a', owner: 'o' });
  const SLOT = 15_495;
  const targetId = String(await target?.call('CLUSTER', 'MYID'));

  await target?.call('CLUSTER', 'SETSLOT', SLOT, 'NODE', targetId);
  await source?.call('CLUSTER', 'SETSLOT', SLOT, 'NODE', targetId);

  await expect.poll(() => reader.ending, { timeout: 10_000 }).toBe('redis_unavailable');
  await expect
    .poll(
      async () => {
        const again = await channels.subscribe({ channel: 'a', owner: 'o' });
        await channels.publish('a', json('moved'));
        const heard = valuesOf(await takeAll(again, 1, 500));
        again.end('stopped');
        return heard;
      },
      { timeout: 15_000 },
    )
    .toEqual(['moved']);
});
