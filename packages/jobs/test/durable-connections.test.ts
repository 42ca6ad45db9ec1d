import { connect, type RedisClient, untilReady } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { DurableConnections } from '../src/durable-connections.ts';

it('lends a connection that came back before one that is slow to open', async (t) => {
  const [served, silent] = [await testServer(t), await testServer(t)];
  // Not killed: its port would be free for a server of another test.
  silent.pause();
  const opened = [served, silent].map(({ config }) => {
    const client = connect({ config, profile: 'proof', name: 'test' });
    t.onTestFinished(() => client.disconnect());
    return client;
  }) as [RedisClient, RedisClient];
  await untilReady(opened[0], 5_000);
  const [first] = opened;
  const connections = new DurableConnections({
    client: first,
    open: () => opened.shift() as RedisClient,
  });
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });

  const holding = connections.use('key', () => held);
  const lent = connections.use('key', async (client) => client);
  release();
  await holding;

  expect(await lent).toBe(first);
});
