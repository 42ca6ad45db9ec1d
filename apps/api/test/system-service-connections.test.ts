import { Secret } from '@sluice/config';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';
import { created, ORDERS, PASSWORD, PATH, place, reasonOf } from './service-calls.ts';

describe('the test of a connection', () => {
  const test = async (api: TestApi, config: unknown) => {
    const startedAt = performance.now();
    const answer = await api.call(`${PATH}/_test`, { method: 'POST', json: { config } });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(answer.status).toBe(200);
    return (await answer.json()) as Record<string, unknown>;
  };

  it('tells how Redis answers, and what will hurt', async (t) => {
    const api = await startApi(t);

    expect(await test(api, place())).toEqual({
      reachable: true,
      authenticated: true,
      latency_ms: expect.any(Number),
      server_version: expect.stringMatching(/^\d+\./),
      fault: null,
      warnings: ['maxmemory is 0: the cache grows until the machine has no memory left.'],
    });
  });

  it('tells an address where nobody is from a password that is wrong, within two seconds', async (t) => {
    const guarded = await testServer(t, {
      settings: ['save ""', `requirepass ${PASSWORD}`],
      config: { password: new Secret(PASSWORD) },
    });
    const { port } = guarded;
    const host = '127.0.0.1';
    const api = await startApi(t);
    const nothing = { latency_ms: null, server_version: null, warnings: [] };

    expect(await test(api, { host: '127.0.0.1', port: 1 })).toEqual({
      reachable: false,
      authenticated: false,
      fault: 'unavailable',
      ...nothing,
    });
    for (const password of ['wrong', null]) {
      expect(await test(api, { host, port, password })).toEqual({
        reachable: true,
        authenticated: false,
        fault: 'auth',
        ...nothing,
      });
    }
  });

  it('gives up on one that says nothing', async (t) => {
    const silent = await testServer(t);
    silent.pause();
    const api = await startApi(t);

    expect(await test(api, { host: '127.0.0.1', port: silent.port })).toMatchObject({
      reachable: false,
      fault: 'unavailable',
    });
  });

  it('is for a stored service too', async (t) => {
    const api = await startApi(t);
    await created(api, { ...ORDERS, config: { host: '127.0.0.1', port: 1 } });

    const [stored, configured, unknown] = await Promise.all(
      ['orders', 'redis', 'nothing'].map((name) => api.call(`${PATH}/${name}/_test`, { method: 'POST' })),
    );

    expect(await stored?.json()).toMatchObject({ reachable: false, fault: 'unavailable' });
    expect(await configured?.json()).toMatchObject({ reachable: true, fault: null });
    expect(await reasonOf(unknown as Response)).toEqual([404, 'record_unknown']);
  });
});
