import { connect, type RedisClient, untilReady } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { DurableConnections } from '../src/durable-connections.ts';

it('lends a connection that came back before one that is slow to open', async (t) => {
  const [served, silent] = [await testServer(t), await testServer(t)];
  await silent.kill();
  const opened = [served, silent].map(({ config }) => {
    const client = connect({ config, profile: 'proof', name: 'test' });
    t.onTestFinished(() => client.disconnect());
    return client;
  }) as [RedisClient, RedisClient];
  await untilReady(opened[0], 5_000);
  const [first] = opened;
  const connections = new DurableConnections(() => opened.shift() as RedisClient);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });

  const holding = connections.use(() => held);
  const lent = connections.use(async (client) => client);
  release();
  await holding;

  expect(await lent).toBe(first);
});
