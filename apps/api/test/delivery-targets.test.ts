import { describe, expect, it } from 'vitest';
import { put, URL_ } from './delivery-calls.ts';
import { startApi } from './harness.ts';

describe('the target of a queue', () => {
  const target = '/api/v2/queues/orders/target';

  it('is written, read and removed, and makes its queue known', async (t) => {
    const api = await startApi(t);

    const written = await put(api, target, { url: URL_, method: 'put', callback: URL_ });
    const read = await api.call(target);
    const queues = await api.call('/api/v2/queues');
    const removed = await api.call(target, { method: 'DELETE' });

    const body = {
      queue: 'orders',
      url: URL_,
      method: 'PUT',
      headers: {},
      endpoint: 'default',
      schedule: expect.any(Array),
      jitter: 0.1,
      timeout: 15_000,
      callback: { url: URL_, headers: {}, endpoint: 'default' },
      failure_callback: null,
      updated_at: expect.any(String),
    };
    expect([written.status, await written.json()]).toEqual([200, body]);
    expect(await read.json()).toEqual(body);
    expect(await queues.json()).toMatchObject({ resource: [{ name: 'orders' }] });
    expect(await removed.json()).toEqual({ queue: 'orders', success: true });
    expect((await api.call(target)).status).toBe(404);
    expect((await api.call(target, { method: 'DELETE' })).status).toBe(404);
  });

  it('needs the right to send beside the one to manage the queue', async (t) => {
    const api = await startApi(t);
    const manager = await api.makeKey(['jobs:manage:orders']);
    const both = await api.makeKey(['jobs:manage:orders', 'deliveries:send']);

    expect((await put(api, target, { url: URL_ }, manager)).status).toBe(403);
    expect((await put(api, target, { url: URL_ }, both)).status).toBe(200);
    expect((await put(api, '/api/v2/queues/other/target', { url: URL_ }, both)).status).toBe(403);
    expect((await put(api, target, { url: URL_, endpoint: 'nobody' }, both)).status).toBe(404);
    expect((await put(api, target, {}, both)).status).toBe(400);
  });
});
