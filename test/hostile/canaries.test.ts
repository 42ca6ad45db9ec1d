import { TEST_REDIS_URL } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';

const SECRETS = {
  service: 'canary-password-of-a-service',
  endpoint: `whsec_${'Q2FuYXJ5'.repeat(4)}`,
  header: 'canary-header-of-an-endpoint',
  url: 'canary-password-in-an-address',
  value: 'canary-value',
} as const;

it('tells no planted secret in logs, metrics, lists, pages and errors', async (t) => {
  const api = await startApi(t);
  const post = (path: string, json: unknown, method = 'POST') => api.call(`/api/v2${path}`, { method, json });
  const config = { host: '127.0.0.1', port: 1, password: SECRETS.service };
  await post('/system/service', { name: 'away', type: 'cache_redis', config });
  const settings = {
    url: 'https://example.com/',
    secret: SECRETS.endpoint,
    headers: { 'X-Key': SECRETS.header },
  };
  await post('/deliveries/endpoints/planted', settings, 'PUT');
  const session = await post('/sessions', { user_id: 'ada', data: { text: SECRETS.value } });
  const { session_token: token } = (await session.json()) as { session_token: string };
  const told: string[] = [];
  const hear = async (answer: Promise<Response>) => told.push(await (await answer).text());

  await hear(post('/deliveries', { url: `https://u:${SECRETS.url}@example.com/` }));
  await hear(post('/system/service/away/_test', undefined));
  await hear(api.call('/api/v2/away/a'));
  await hear(post('/away', `{"${SECRETS.value}`));
  await hear(post('/queues/held/jobs', { name: 'a', data: { text: SECRETS.value }, unknown: 1 }));
  await hear(
    api.call('/api/v2/sessions/current', { headers: { 'X-DreamFactory-Session-Token': `${token}x` } }),
  );
  for (const path of ['/api/v2/system/service', '/api/v2/system/key', '/api/v2/system/audit', '/metrics']) {
    await hear(api.call(path));
  }
  for (const path of [
    '/api/v2/deliveries/endpoints',
    '/api/v2/users/ada/sessions',
    '/admin',
    '/openapi.json',
    '/readyz',
  ]) {
    await hear(api.call(path));
  }

  const secrets = [
    ...Object.values(SECRETS),
    api.key,
    token,
    new URL(process.env[TEST_REDIS_URL] ?? '').password,
  ];
  const leaks = secrets.filter((secret) => [...told, api.logged()].some((text) => text.includes(secret)));
  expect(leaks).toEqual([]);
  expect(told.join('').length).toBeGreaterThan(1_000);
});
