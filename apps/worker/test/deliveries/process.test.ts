import { Deliveries, Endpoints, Targets } from '@sluice/delivery';
import { registerQueue } from '@sluice/jobs';
import { loadMasterSecret } from '@sluice/runtime';
import { describe, expect, test } from 'vitest';
import { product } from '../worker-process.ts';
import { receiver, verify } from './setup.ts';

const ALLOWED = { EGRESS_ALLOW: '127.0.0.1' };

describe.concurrent('a worker process', { timeout: 60_000 }, () => {
  test('sends deliveries with the secrets of the installation, and follows a new target within 2 s', async (t) => {
    const { redis, jobs, worker, folder, result } = await product(t);
    await worker(ALLOWED);
    const master = await loadMasterSecret({ directory: folder });
    const endpoints = new Endpoints({ client: redis.client, keys: redis.keys, master });
    const deliveries = new Deliveries({ endpoints, master });
    const targets = new Targets({ client: redis.client, keys: redis.keys, endpoints });
    const { url, first } = await receiver(t);
    const { secret = '' } = await endpoints.put('partner', {});

    const [job] = await deliveries.jobs([{ url, endpoint: 'partner', body: 1 }]);
    if (!job || job instanceof Error) throw new Error('no job', { cause: job });
    const { id } = await jobs.enqueue('deliveries', job);

    const [request] = await first(1);
    if (request) verify(secret, request);
    expect(await result('deliveries', id)).toMatchObject({ kind: 'completed' });

    // As the API does.
    await targets.put('fresh', { url, endpoint: 'partner' });
    await registerQueue(redis.client, redis.keys, 'fresh');
    const putAt = performance.now();
    const sent = await jobs.enqueue('fresh', { name: 'anything', data: { a: 1 } });
    const [, pushed] = await first(2);
    if (pushed) verify(secret, pushed);

    expect((pushed?.at ?? 0) - putAt).toBeLessThan(2_000);
    expect(pushed).toMatchObject({ body: '{"a":1}', headers: { 'webhook-id': sent.id } });
  });

  test('sends nothing into its own network unless it may', async (t) => {
    const { redis, jobs, worker, folder, result } = await product(t);
    await worker();
    const master = await loadMasterSecret({ directory: folder });
    const endpoints = new Endpoints({ client: redis.client, keys: redis.keys, master });
    const { url, connections } = await receiver(t);

    const [job] = await new Deliveries({ endpoints, master }).jobs([{ url }]);
    if (!job || job instanceof Error) throw new Error('no job', { cause: job });
    const { id } = await jobs.enqueue('deliveries', job);

    expect(await result('deliveries', id)).toMatchObject({
      kind: 'failed',
      error: {
        code: 'fatal',
        message: '127.0.0.1 is, or stands for, an address that may not be reached',
      },
    });
    expect(connections()).toBe(0);
  });
});
