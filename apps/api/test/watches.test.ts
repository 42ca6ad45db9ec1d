import { testServer } from '@sluice/redis/testing';
import { expect, test, vi } from 'vitest';
import { startApi } from './harness.ts';

test('a Redis that came back empty takes the API out of service within five seconds', async (t) => {
  const server = await testServer(t);
  const api = await startApi(t, { REDIS_URL: server.url });
  const readiness = async () => {
    const answer = await api.call('/readyz');
    return [answer.status, await answer.json()];
  };
  await vi.waitFor(async () =>
    expect(await readiness()).toMatchObject([200, { status: 'ready', warnings: [] }]),
  );
  const marked = await server.admin().hgetall(`${api.redis.prefix}:system:dataset:queue`);
  expect(marked.epoch).toMatch(/^[0-9a-f-]{36}$/);

  await server.kill();
  await server.start();

  const lost = [503, { status: 'data_loss_suspected', warnings: ['data_loss_suspected'] }];
  await vi.waitFor(async () => expect(await readiness()).toMatchObject(lost), {
    timeout: 7_000,
    interval: 100,
  });
  const metrics = await (await api.call('/metrics')).text();
  expect(metrics).toContain('sluice_data_loss_suspected{role="queue"} 1');
});
