import { testCluster } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { httpGuide, replay, unservedRoutes } from './document.ts';
import { clusterVariables } from './topology.ts';

describe('on a Cluster of three masters with replicas', () => {
  it('serves every route as the guide says', { timeout: 90_000 }, async (t) => {
    const redis = await testCluster(t, { replicas: 1 });

    const { product, faults, streams } = await replay(t, await httpGuide(), clusterVariables(redis));

    expect(faults).toEqual([]);
    for (const stream of streams) expect(stream).toMatch(/^id: \d+-\d+\n(event: \w+\n)?data: /m);
    await expect.poll(() => unservedRoutes(product), { timeout: 5_000 }).toEqual([]);
  });
});
