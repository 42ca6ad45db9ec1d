import { describe, expect, it } from 'vitest';
import { close, connect, untilReady } from '../src/connect.ts';
import { readFigures, redisFigures } from '../src/figures.ts';
import { testServer } from '../src/testing-server.ts';
import { testCluster } from '../src/testing-topology.ts';

describe('the figures of a Redis', () => {
  it('are those of its INFO, with the shares that have thresholds', async (t) => {
    const server = await testServer(t, {
      isAnyKey: true,
      settings: ['maxmemory 64mb', 'maxclients 100', 'maxmemory-policy allkeys-lru', 'appendonly yes'],
    });
    const client = server.connect('request');
    await untilReady(client, 5_000);
    await client.set('there', '1');
    await client.mget('there', 'absent', 'absent too');

    const figures = await redisFigures(client);

    expect(figures).toMatchObject({
      maxMemoryBytes: 64 * 1_048_576,
      evictionPolicy: 'allkeys-lru',
      maxClients: 100,
      keyspaceHits: 1,
      keyspaceMisses: 2,
      hitRatio: 1 / 3,
      evictedKeys: 0,
      isAofOn: true,
      isAofWritten: true,
      isSnapshotWritten: true,
      isReplica: false,
      isLinkUp: true,
      connectedReplicas: 0,
    });
    expect(figures.memoryUse).toBeCloseTo(figures.usedMemoryBytes / figures.maxMemoryBytes, 10);
    expect(figures.clientUse).toBe(figures.connectedClients / 100);
  });

  it('know no share where there is no bound, and no ratio before a read', async (t) => {
    const server = await testServer(t, { isAnyKey: true });
    const client = server.connect('request');
    await untilReady(client, 5_000);

    const { figures } = await readFigures(client);

    expect(figures).toMatchObject({ maxMemoryBytes: 0, memoryUse: null, hitRatio: null });
  });

  it('are none of a Redis that is away, and its report does not reject', async (t) => {
    const server = await testServer(t, { isAnyKey: true });
    const client = server.connect('request');
    await untilReady(client, 5_000);
    await server.stop();

    expect(await readFigures(client)).toEqual({ isUp: false, figures: undefined });
  });

  it('add up over the masters of a Cluster', async (t) => {
    const { config } = await testCluster(t, { isAnyKey: true });
    const client = connect({ config, profile: 'request', name: 'test' });
    t.onTestFinished(() => close(client));
    await untilReady(client, 10_000);
    for (let at = 0; at < 30; at += 1) await client.get(`absent-${at}`);

    const figures = await redisFigures(client);

    expect(figures.keyspaceMisses).toBe(30);
  });
});
