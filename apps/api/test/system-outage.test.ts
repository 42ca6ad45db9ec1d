import { testServer } from '@sluice/redis/testing';
import { expect, test, vi } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

const SERVICE = '/api/v2/system/service';
const within2s = { timeout: 2_000, interval: 20 };
const SLUICE_SECRET = 'one secret of the whole installation';

/** Two servers on a Redis of the test's own, with a service, a policy and a key made at run time. */
async function setup(t: Parameters<typeof startApi>[0]) {
  const server = await testServer(t, { settings: ['save ""', 'appendonly yes', 'appendfsync always'] });
  const variables = { SLUICE_SECRET, REDIS_URL: server.url };
  const first = await startApi(t, variables);
  const second = await startApi(t, { ...variables, REDIS_PREFIX: first.redis.prefix });
  const post = async (path: string, json: unknown) =>
    (await first.call(path, { method: 'POST', json })).json();
  await post(SERVICE, { name: 'orders', type: 'cache_redis' });
  await post('/api/v2/system/limit', { name: 'mail', limit: 2, period: 'hour', away: 'memory' });
  const { key } = (await post('/api/v2/system/key', { label: 'k', scopes: ['cache:*'] })) as { key: string };
  await vi.waitFor(async () => {
    expect((await second.call('/api/v2/orders?keys=a', { key })).status).toBe(200);
    expect((await second.call('/api/v2/limits/mail?key=a')).status).toBe(200);
  }, within2s);
  return { server, first, second, key };
}

async function reasonOf(answer: Response): Promise<unknown> {
  const body = (await answer.json()) as { error: { context: { reason: string; outcome?: string } } };
  return [answer.status, body.error.context.reason];
}

test('while Redis is away what is known stands, and changes are 503 within two seconds', async (t) => {
  const { server, first, key } = await setup(t);

  await server.kill();
  await vi.waitFor(async () => expect((await first.call('/readyz')).status).toBe(503), within2s);
  const startedAt = performance.now();
  const changes = await Promise.all([
    first.call(SERVICE, { method: 'POST', json: { name: 'carts', type: 'cache_redis' } }),
    first.call(`${SERVICE}/orders`, { method: 'PATCH', json: { label: 'x' } }),
    first.call(`${SERVICE}/orders`, { method: 'DELETE' }),
    first.call('/api/v2/system/limit', { method: 'POST', json: { name: 'sms', limit: 1, period: 'hour' } }),
    first.call('/api/v2/system/key', { method: 'POST', json: { label: 'x', scopes: ['*'] } }),
    first.call('/api/v2/system/key'),
    first.call('/api/v2/system/audit'),
  ]);

  expect(performance.now() - startedAt).toBeLessThan(2_000);
  for (const answer of changes) expect(await reasonOf(answer)).toEqual([503, 'redis_unavailable']);
  // The service is known, its values are not to be had; another is not known.
  expect(await reasonOf(await first.call('/api/v2/orders/a', { key }))).toEqual([500, 'cache_unavailable']);
  expect(await reasonOf(await first.call('/api/v2/carts/a', { key }))).toEqual([404, 'service_unknown']);
  const { resource } = (await (await first.call(SERVICE)).json()) as { resource: { name: string }[] };
  expect(resource.map(({ name }) => name)).toEqual(['redis', 'orders']);
  const asked = await first.call('/api/v2/limits/mail/consume', { method: 'POST', json: { key: 'a' } });
  expect(await asked.json()).toMatchObject({ allowed: true, limit: 2, decided_by: 'memory' });
});

test('what changed while a server was cut off is obeyed within two seconds of its return', async (t) => {
  const { server, first, second, key } = await setup(t);

  await server.kill();
  await vi.waitFor(async () => expect((await second.call('/readyz')).status).toBe(503), within2s);
  await server.start();
  await vi.waitFor(async () => expect((await first.call('/readyz')).status).toBe(200), { timeout: 5_000 });
  await vi.waitFor(async () => {
    const removed = await first.call(`${SERVICE}/orders`, { method: 'DELETE' });
    expect(removed.status).toBe(200);
  }, within2s);

  await vi.waitFor(async () => expect((await second.call('/readyz')).status).toBe(200), { timeout: 5_000 });
  await vi.waitFor(
    async () => expect((await second.call('/api/v2/orders?keys=a', { key })).status).toBe(404),
    within2s,
  );
});

test('a server that starts without Redis does not call a service unknown that it has not read yet', async (t) => {
  const { server, first } = await setup(t);
  await server.kill();

  const late = startApi(t, {
    SLUICE_SECRET,
    REDIS_URL: server.url,
    REDIS_PREFIX: first.redis.prefix,
  });
  await server.start();
  const api: TestApi = await late;

  await vi.waitFor(async () => expect((await api.call('/api/v2/orders?keys=a')).status).toBe(200), within2s);
});

test('a change whose answer is lost says that it may have been made', async (t) => {
  const { server, first } = await setup(t);

  server.pause();
  const answer = await first.call(`${SERVICE}/orders`, { method: 'PATCH', json: { label: 'x' } });
  server.resume();

  expect(await reasonOf(answer)).toEqual([503, expect.stringMatching(/outcome_unknown|redis_unavailable/)]);
});
