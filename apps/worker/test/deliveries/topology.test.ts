import { keyspace } from '@sluice/config';
import { connect, untilReady } from '@sluice/redis';
import { type TestContext, testCluster, testServer } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { receiver, setup, verify } from './setup.ts';

it('in a Cluster, deliveries, endpoints, hosts and targets work as on one Redis', {
  timeout: 60_000,
}, async (t) => {
  const redis = await onCluster(t);
  const { endpoints, targets, send, jobs, ended } = await setup(t, { redis, queues: ['orders'] });
  const { url, first } = await receiver(t, (response) => void setTimeout(() => response.end(), 50));
  const told = await receiver(t);
  const { secret = '' } = await endpoints.put('partner', { url, concurrency: 1 });
  await targets.put('orders', { endpoint: 'partner' });

  const ids = await Promise.all(
    [1, 2, 3].map((n) => send({ endpoint: 'partner', body: n, callback: told.url })),
  );
  const { id } = await jobs.enqueue('orders', { name: 'a', data: 4 });

  for (const request of await first(4)) verify(secret, request);
  for (const each of ids)
    expect(await ended(each)).toMatchObject({ state: 'completed', attempts: { made: 1 } });
  expect(await ended(id, { queue: 'orders' })).toMatchObject({ state: 'completed' });
  await told.first(3);
});

it('an outage of Redis costs a delivery no attempt, and loses none', { timeout: 60_000 }, async (t) => {
  const server = await testServer(t, { settings: ['save ""', 'appendonly yes', 'appendfsync always'] });
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const redis = {
    config: server.config,
    client,
    keys: keyspace('outage', { isCluster: false }),
    connect: server.connect,
  };
  const { send, ended } = await setup(t, { redis });
  const answers: (() => void)[] = [];
  const { url, first, received } = await receiver(t, (response) => void answers.push(() => response.end()));
  const told = await receiver(t);
  const id = await send({ url, timeout: 30_000, callback: told.url });
  const later = await send({ url, delay: 1_000 });
  await first(1);

  await server.stop();
  answers[0]?.();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await server.start();
  await first(2, 20_000);
  answers[1]?.();

  for (const each of [id, later])
    expect(await ended(each, { timeoutMs: 20_000 })).toMatchObject({
      state: 'completed',
      attempts: { made: 1, lost: 0 },
    });
  await told.first(1);
  expect(received).toHaveLength(2);
});

async function onCluster(t: TestContext) {
  const { config } = await testCluster(t);
  const keys = keyspace('cluster', { isCluster: true });
  const client = connect({ config, profile: 'request', name: 'test' });
  t.onTestFinished(() => client.disconnect());
  await untilReady(client, 10_000);
  return {
    config,
    client,
    keys,
    connect: (profile: Parameters<typeof connect>[0]['profile']) => {
      const opened = connect({ config, profile, name: 'test' });
      t.onTestFinished(() => opened.disconnect());
      return opened;
    },
  };
}
