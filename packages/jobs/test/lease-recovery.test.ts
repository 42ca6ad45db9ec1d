import { expect, it, vi } from 'vitest';
import { BullConnection } from '../src/bullmq.ts';
import { leaseKeys, queueKeys } from '../src/keys.ts';
import { recoverLeases } from '../src/scripts.ts';
import { setup } from './setup.ts';

it('keeps a lease that is about to end from the look of stock workers, and judges it itself', async (t) => {
  const { jobs, redis } = await setup(t, { leases: { secret: Buffer.alloc(32, 7), checkMs: 3_600_000 } });
  const bull = new BullConnection(redis.client);
  t.onTestFinished(() => bull.close());
  const backend = bull.queue(redis.keys.queuePrefix('work'), 'work');
  const keys = leaseKeys(queueKeys(redis.keys, 'work'));
  const lookAsBullMq = async () => {
    await vi.waitFor(async () => expect(await redis.client.exists(keys['stalled-check'])).toBe(0));
    return await backend.checkStalled(1);
  };
  const lookAsLeases = () =>
    recoverLeases.run(redis.client, {
      keys,
      args: { limit: 10, max_lost: 2, token: 'mine', hold_ms: 10_000, soon_ms: 5_000 },
    });
  const { id } = await jobs.enqueue('work', { name: 'n', opts: { timeout: 2_000 } });
  const [taken] = await jobs.leases.take('work', { count: 1, leaseMs: 30_000, holder: 'k' });
  await lookAsBullMq();
  expect(await redis.client.smembers(keys.stalled)).toEqual([id]);

  expect(await lookAsLeases()).toEqual([[], [], 0]);
  await vi.waitFor(async () => expect(await redis.client.exists(`${keys.base}${id}:lock`)).toBe(0), 5_000);

  expect(await lookAsBullMq()).toEqual([]);
  expect(await lookAsLeases()).toEqual([[], [[id, 0, String(taken?.expiresAt), null]], 1]);
});
