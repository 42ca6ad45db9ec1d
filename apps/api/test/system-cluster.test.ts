import { close, connect, untilReady } from '@sluice/redis';
import { PRODUCT_ENTRY, testCluster } from '@sluice/redis/testing';
import { testConnection } from '@sluice/system';
import { expect, test } from 'vitest';
import { startApi } from './harness.ts';

test('in a Cluster a change of a service, a policy or a key and its entry in the trail are one step', {
  timeout: 60_000,
}, async (t) => {
  const { config } = await testCluster(t);
  const client = connect({ config, profile: 'request', name: 'test' });
  t.onTestFinished(() => close(client));
  await untilReady(client, 10_000);
  const nodes = config.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  const api = await startApi(t, { ...PRODUCT_ENTRY, REDIS_URL: '', REDIS_CLUSTER_NODES: nodes });
  const post = (path: string, json: unknown) => api.call(`/api/v2/system/${path}`, { method: 'POST', json });

  const statuses = [
    (await post('service', { name: 'orders', type: 'cache_redis' })).status,
    (await post('limit', { name: 'mail', limit: 1, period: 'hour' })).status,
    (await post('key', { label: 'a', scopes: ['*'], quota: { backlog: 1 } })).status,
  ];
  const { resource } = (await (await api.call('/api/v2/system/audit')).json()) as {
    resource: { action: string }[];
  };

  expect(statuses).toEqual([201, 201, 201]);
  expect(resource.map(({ action }) => action)).toEqual([
    'key.create',
    'limit.create',
    'service.create',
    'key.create',
  ]);
  expect((await api.call('/api/v2/orders?keys=a')).status).toBe(200);
});

test('a connection to a Cluster is tried when its masters are connected, not before', {
  timeout: 60_000,
}, async (t) => {
  const { config } = await testCluster(t);

  const tests = [];
  for (let turn = 0; turn < 20; turn += 1) tests.push(await testConnection(config));

  expect(tests.map(({ fault, warnings }) => [fault, warnings.length])).toEqual(Array(20).fill([null, 1]));
});
