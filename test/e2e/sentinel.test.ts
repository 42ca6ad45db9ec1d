import { type TestSentinel, testSentinel } from '@sluice/redis/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpGuide, type Replay, replay } from './document.ts';
import { answerOf, doctor, sentinelVariables, Traffic, uncompleted } from './topology.ts';
import { topologySuite } from './topology-suite.ts';

const cleanUps: (() => Promise<void> | void)[] = [];
let redis: TestSentinel;
let replayed: Replay;

beforeAll(async () => {
  const t = { onTestFinished: (cleanUp: () => Promise<void> | void) => void cleanUps.unshift(cleanUp) };
  redis = await testSentinel(t, { replicas: 2, sentinels: 3 });
  replayed = await replay(t, await httpGuide(), sentinelVariables(redis));
}, 120_000);

afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

describe('on a master with two replicas behind three Sentinels', () => {
  topologySuite(() => replayed);

  it('is examined by `sluice doctor`, Sentinels and all', { timeout: 30_000 }, async () => {
    const { findings } = await doctor(sentinelVariables(redis), replayed.product);

    const sentinels = findings.filter(({ id }) => id.startsWith('sentinel.'));
    expect(sentinels.length).toBeGreaterThan(0);
    expect(sentinels.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    expect(findings.filter(({ id, severity }) => id.startsWith('commands.') && severity !== 'ok')).toEqual(
      [],
    );
  });

  it('loses nothing a replica had when the master is killed, and goes on by itself', {
    timeout: 90_000,
  }, async (t) => {
    const { product } = replayed;
    const { session_token: token } = await answerOf<{ session_token: string }>(
      product.call('/sessions', { method: 'POST', json: { user_id: 'ada', data: {} } }),
    );
    await product.call('/redis', { method: 'POST', json: { resource: [{ key: 'kept', value: 1 }] } });
    const traffic = new Traffic(product, ['failover-1', 'failover-2', 'failover-3']);
    t.onTestFinished(() => traffic.stop());
    await expect.poll(() => traffic.acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(40);
    const before = [...traffic.acknowledged];
    const master = redis.master.admin();
    // Everything written up to here is with both replicas.
    expect(await master.call('WAIT', 2, 5_000)).toBe(2);

    await redis.master.kill();
    const killedAt = performance.now();

    const servedAgain = () => traffic.acknowledged.find(({ at }) => at > killedAt + 500);
    await expect.poll(servedAgain, { timeout: 30_000 }).toBeDefined();
    await expect
      .poll(() => traffic.acknowledged.filter(({ at }) => at > killedAt + 500).length)
      .toBeGreaterThan(20);
    await traffic.stop();
    await expect.poll(() => uncompleted(product, before), { timeout: 30_000, interval: 500 }).toEqual([]);
    const after = traffic.acknowledged.filter(({ at }) => at > killedAt + 500);
    await expect.poll(() => uncompleted(product, after), { timeout: 30_000, interval: 500 }).toEqual([]);
    const odd = traffic.answers.filter(({ status, ms }) => ![200, 201, 503].includes(status) || ms > 2_000);
    expect(odd).toEqual([]);
    const headers = { 'X-DreamFactory-Session-Token': token };
    expect((await product.call('/sessions/current', { headers })).status).toBe(200);
    expect(await answerOf(product.call('/redis/kept'))).toEqual({ key: 'kept', value: 1 });
    expect([product.api.isRunning, product.worker.isRunning]).toEqual([true, true]);
  });
});
