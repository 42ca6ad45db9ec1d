import { setTimeout as sleep } from 'node:timers/promises';
import { PRODUCT_USER, testServer } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { startApi } from './harness.ts';

test('every enqueue is answered in time while Redis holds up writes, proven ones that queue up as well', {
  timeout: 30_000,
}, async (t) => {
  const server = await testServer(t, { settings: ['save ""', 'appendonly yes', 'appendfsync always'] });
  // Where there is no WAITAOF, the file is asked for by CONFIG GET: docs/security.md.
  await server.admin().call('ACL', 'SETUSER', PRODUCT_USER, '+config|get');
  const api = await startApi(t, { REDIS_URL: server.url });
  const enqueue = async (json: unknown) => {
    const startedAt = performance.now();
    const answer = await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json });
    await answer.arrayBuffer();
    return [answer.status, performance.now() - startedAt < 2_000];
  };
  const limits = await api.call('/api/v2/queues/mail/limits', { method: 'PUT', json: { durability: 'aof' } });
  expect([limits.status, await enqueue({ name: 'welcome', data: {} })]).toEqual([200, [201, true]]);

  await server.admin().call('CLIENT', 'PAUSE', '8000', 'WRITE');
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
