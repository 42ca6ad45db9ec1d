import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Cleaner, OwnRedis, startProduct, until } from './product.ts';

const PASSWORD = 'canary-password-of-the-second-redis';

/** Answers JSON to everybody. */
async function upstream(t: Cleaner): Promise<string> {
  const server = createServer((_, response) => response.end('{"price": 12}'));
  t.onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe('a cache service made at run time', () => {
  it('is used by the API and the worker, on another Redis with a password, and survives a restart', {
    timeout: 90_000,
  }, async (t) => {
    const redis = await OwnRedis.start(t);
    const guarded = await OwnRedis.start(t, ['--requirepass', PASSWORD], []);
    const product = await startProduct(t, redis.url, { EGRESS_ALLOW: '127.0.0.1' });
    await until(async () => (await product.call('/queues')).ok || undefined);
    const config = { host: '127.0.0.1', port: guarded.port, password: PASSWORD };

    const made = await product.call('/system/service', {
      method: 'POST',
      json: { resource: [{ name: 'prices', type: 'cache_redis', config }] },
    });
    const job = await product.call('/queues/refresh/jobs?wait=20', {
      method: 'POST',
      json: { name: 'cache.refresh', data: { service: 'prices', key: 'tea', url: await upstream(t) } },
    });
    const read = await product.call('/prices/tea');

    expect(made.status).toBe(201);
    expect(await job.json()).toMatchObject({ state: 'completed', result: { service: 'prices', key: 'tea' } });
    expect(await read.json()).toEqual({ key: 'tea', value: { price: 12 } });
    const again = await startProduct(t, redis.url, { SLUICE_DATA_DIR: product.directory });
    const later = await until(async () => {
      const answer = await again.call('/prices/tea');
      return answer.ok ? answer : undefined;
    });
    expect(await later.json()).toEqual({ key: 'tea', value: { price: 12 } });
    for (const { output } of [product.api, product.worker, again.api, again.worker])
      expect(output).not.toContain(PASSWORD);
  });
});
