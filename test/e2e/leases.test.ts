import { describe, expect, it } from 'vitest';
import { type Cleaner, KEY, OwnRedis, type Product, SYNCED, startProduct, until } from './product.ts';

const QUEUE = '/queues/pull-work';

interface Taken {
  lease: string;
  job: { id: string };
}

/** Servers of one installation, on one Redis. */
async function setup(t: Cleaner, servers: number) {
  const redis = await OwnRedis.start(t, SYNCED);
  const variables = { SLUICE_SECRET: 's'.repeat(40), LEASE_CHECK_SECONDS: '1' };
  const products: Product[] = [];
  for (let n = 0; n < servers; n += 1) products.push(await startProduct(t, redis.url, variables));
  return { redis, products: products as [Product, ...Product[]] };
}

async function post(product: Product, path: string, json: unknown = {}) {
  const answer = await product.call(path, { method: 'POST', json });
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}

async function take(product: Product, body: object): Promise<Taken[]> {
  return (await post(product, `${QUEUE}/leases`, body)).body.resource;
}

/** Resolves when this server holds a request that waits for a job. */
async function untilWaiting(product: Product): Promise<void> {
  await until(async () => {
    const metrics = await (
      await fetch(`${product.url}/metrics`, { headers: { 'X-DreamFactory-API-Key': KEY } })
    ).text();
    return /^sluice_lease_waits 1$/m.test(metrics) || undefined;
  });
}

describe('leases', { timeout: 120_000 }, () => {
  it('outlive the server that gave them out: another one serves them, and finds those that were lost', async (t) => {
    const { products } = await setup(t, 2);
    const [first, second] = products as [Product, Product];
    const jobs = [1, 2].map((n) => ({ name: 'n', data: n }));
    await post(first, `${QUEUE}/jobs`, { resource: jobs });
    const [kept] = await take(first, { lease_ms: 60_000 });
    const [lost] = await take(first, { lease_ms: 1_000 });
    await first.api.kill('SIGKILL');

    const completed = await post(second, `/leases/${kept?.lease}/complete`, { result: 1 });
    const [again] = await take(second, { wait: 20 });

    expect(completed).toMatchObject({ status: 200, body: { state: 'completed' } });
    expect(again?.job.id).toBe(lost?.job.id);
    expect((await post(second, `/leases/${lost?.lease}/complete`)).status).toBe(409);
    expect((await post(second, `/leases/${again?.lease}/complete`)).status).toBe(200);
  });

  it('that are waited for end with none when the server is told to stop, and when Redis is killed', async (t) => {
    const { redis, products } = await setup(t, 2);
    const [first, second] = products as [Product, Product];
    const waiting = products.map((product) => post(product, `${QUEUE}/leases`, { wait: 30 }));
    await Promise.all(products.map(untilWaiting));

    first.api.signal('SIGTERM');
    expect(await waiting[0]).toEqual({ status: 200, body: { resource: [] } });
    expect(await first.api.exited).toBe(0);

    const killedAt = Date.now();
    await redis.kill();
    expect(await waiting[1]).toEqual({ status: 200, body: { resource: [] } });
    expect(Date.now() - killedAt).toBeLessThan(2_000);
    expect((await post(second, `${QUEUE}/leases`, { wait: 30 })).status).toBe(503);
    await redis.start();
    await until(async () => (await post(second, `${QUEUE}/leases`)).status === 200 || undefined);
  });
});
