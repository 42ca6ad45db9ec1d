import { expect, it } from 'vitest';
import { KEY, OwnRedis, startProduct } from '../e2e/product.ts';
import { enqueueing, offer } from './overload.ts';

it('answers each of more requests than it can serve: done, or sent away with Retry-After', {
  timeout: 60_000,
}, async (t) => {
  const redis = await OwnRedis.start(t, ['--appendonly', 'no']);
  const product = await startProduct(t, redis.url, { ACCESS_LOG: 'errors' });
  await product.worker.kill();

  const phase = await offer({
    name: 'far too many',
    url: product.url,
    request: enqueueing({ path: '/api/v2/queues/crowd/jobs', key: KEY, jobs: 200 }),
    pid: product.api.pid,
    seconds: 4,
    offeredPerSecond: 2_000,
  });
  const after = await product.call('/queues/crowd/jobs', { method: 'POST', json: { name: 'a', data: 1 } });

  expect(phase).toMatchObject({ wrong: 0 });
  expect(phase.goodPerSecond).toBeGreaterThan(0);
  expect(phase.shedPerSecond).toBeGreaterThan(0);
  expect(after.status).toBe(201);
});
