import { testSentinel } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { httpGuide, replay, unservedRoutes } from './document.ts';
import { sentinelVariables } from './topology.ts';

describe('on a master with two replicas behind three Sentinels', () => {
  it('serves every route as the guide says', { timeout: 90_000 }, async (t) => {
    const redis = await testSentinel(t, { replicas: 2, sentinels: 3 });

    const { product, faults, streams } = await replay(t, await httpGuide(), sentinelVariables(redis));

    expect(faults).toEqual([]);
    for (const stream of streams) expect(stream).toMatch(/^id: \d+-\d+\n(event: \w+\n)?data: /m);
    await expect.poll(() => unservedRoutes(product), { timeout: 5_000 }).toEqual([]);
  });
});
