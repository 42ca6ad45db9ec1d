import { describe, expect, it } from 'vitest';
import { startApi } from './harness.ts';
import { created, ORDERS, PATH, post, reasonOf } from './service-calls.ts';

describe('what is not taken', () => {
  it.for<[string, unknown, string]>([
    ['a name of ours', { ...ORDERS, name: 'queues' }, 'name'],
    ['a name that leaves its place', { ...ORDERS, name: '../x' }, 'name'],
    ['no name', { type: 'cache_redis' }, 'name'],
    ['another type', { ...ORDERS, type: 'cache_memcached' }, 'type'],
    ['a port that is none', { ...ORDERS, config: { port: 70_000 } }, 'config.port'],
    ['a database that is none', { ...ORDERS, config: { database_index: 16 } }, 'config.database_index'],
    ['a setting nobody knows', { ...ORDERS, config: { hosts: 'a' } }, 'config.hosts'],
    [
      'two places',
      { ...ORDERS, config: { host: 'a', options: { cluster_nodes: ['b'] } } },
      'config.options.cluster_nodes',
    ],
    [
      'a variable for a password',
      { ...ORDERS, config: { password: { env: 'SLUICE_SECRET' } } },
      'config.password',
    ],
    [
      'a file of the server',
      { ...ORDERS, config: { options: { tls: { key: '/etc/shadow' } } } },
      'config.options.tls.key',
    ],
    [
      'a flush of everything',
      { ...ORDERS, config: { options: { key_prefix: '' } } },
      'config.options.flush_policy',
    ],
  ])('%s is 400 with its place, and nothing is written', async ([, json, path], t) => {
    const api = await startApi(t);
    const systemKeys = async () => (await api.redis.allKeys()).filter((key) => key.includes(':records'));

    const answer = await post(api, { resource: [json] });

    const body = (await answer.json()) as {
      error: { context: { reason: string; issues: { path: string }[] } };
    };
    expect([answer.status, body.error.context.reason]).toEqual([400, 'record_invalid']);
    expect(body.error.context.issues.map((issue) => issue.path)).toContain(path);
    expect(await systemKeys()).toEqual([]);
    expect((await api.call(`${PATH}/orders`)).status).toBe(404);
  });

  it('a change of the configured service, which is listed first and read-only', async (t) => {
    const api = await startApi(t);

    const { resource } = (await (await api.call(PATH)).json()) as { resource: Record<string, unknown>[] };
    const answers = [
      await post(api, { resource: [{ ...ORDERS, name: 'redis' }] }),
      await api.call(`${PATH}/redis`, { method: 'PATCH', json: { label: 'x' } }),
      await api.call(`${PATH}/redis`, { method: 'DELETE' }),
      await api.call(`${PATH}/redis?flush=true`, { method: 'DELETE' }),
    ];

    expect(resource).toEqual([
      expect.objectContaining({ name: 'redis', origin: 'configuration', mutable: false, deletable: false }),
    ]);
    for (const answer of answers) expect(await reasonOf(answer)).toEqual([409, 'record_read_only']);
  });

  it('a new name for a service', async (t) => {
    const api = await startApi(t);
    await created(api, ORDERS);

    const answer = await api.call(`${PATH}/orders`, { method: 'PATCH', json: { name: 'carts' } });

    expect(await reasonOf(answer)).toEqual([400, 'record_invalid']);
  });

  it('a change by a key that may only look', async (t) => {
    const api = await startApi(t);
    await created(api, ORDERS);
    const key = await api.makeKey(['system:read']);

    const statuses = [
      (await api.call(PATH, { key })).status,
      (await post(api, { resource: [ORDERS] }, key)).status,
      (await api.call(`${PATH}/orders`, { method: 'DELETE', key })).status,
      (await api.call(`${PATH}/_test`, { method: 'POST', json: {}, key })).status,
      (await api.call(`${PATH}/orders/_test`, { method: 'POST', key })).status,
    ];

    expect(statuses).toEqual([200, 403, 403, 403, 403]);
  });
});
