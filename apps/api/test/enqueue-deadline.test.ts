import { setTimeout as sleep } from 'node:timers/promises';
import { testServer } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { startApi } from './harness.ts';

test('every enqueue is answered in time while Redis holds up writes, proven ones that queue up as well', {
  timeout: 30_000,
}, async (t) => {
  const server = await testServer(t, { settings: ['save ""', 'appendonly yes', 'appendfsync always'] });
  const api = await startApi(t, { REDIS_URL: `redis://127.0.0.1:${server.port}` });
  const enqueue = async (json: unknown) => {
    const startedAt = performance.now();
    const answer = await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json });
    await answer.arrayBuffer();
    return [answer.status, performance.now() - startedAt < 2_000];
  };
  const limits = await api.call('/api/v2/queues/mail/limits', { method: 'PUT', json: { durability: 'aof' } });
  expect([limits.status, await enqueue({ name: 'welcome', data: {} })]).toEqual([200, [201, true]]);

  await server.connect('worker').call('CLIENT', 'PAUSE', '8000', 'WRITE');
  const answers: Promise<unknown>[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    answers.push(
      enqueue({ name: 'welcome', data: {} }),
      enqueue({ resource: [{ name: 'welcome', data: {} }] }),
    );
    await sleep(100);
  }

  expect(await Promise.all(answers)).toEqual(Array(40).fill([503, true]));
});
