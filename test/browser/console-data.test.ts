import type { TestContext } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { accessibilityFaults, consoleUnderTest } from './operator.ts';

const SLOW = { timeout: 90_000 };
const HOSTILE = '<img src=x onerror=alert(1)>"\'&';

async function setup(t: TestContext, looks: { colorScheme?: 'light' | 'dark' } = {}) {
  const operator = await consoleUnderTest(t, looks);
  await operator.signIn(['*']);
  return operator;
}

test('a cache service is made in the five steps of the published page', SLOW, async (t) => {
  const { api, page, errors, strays, screenshot } = await setup(t);
  const redis = new URL(process.env.SLUICE_TEST_REDIS_URL ?? '');

  await page.getByRole('link', { name: 'Services' }).click();
  await expect
    .poll(() => page.getByRole('heading', { level: 1 }).innerText())
    .toBe('API Generation & Connections');
  await page.getByLabel('API Type').selectOption('Cache');
  await page.getByRole('link', { name: 'New service' }).click();
  await page.getByRole('link', { name: 'Redis', exact: true }).click();
  await page.getByLabel('Name').fill('orders');
  await page.getByLabel('Label').fill('Orders Cache');
  await page.getByLabel('Description').fill(HOSTILE);
  await page.getByLabel('Host').fill(redis.hostname);
  await page.getByLabel('Port').fill('1');
  await page.getByLabel('Password').fill('swordfish-canary');
  await page.getByLabel('Database Index').fill('0');
  await page.getByLabel('Default TTL').fill('60');

  await page.getByRole('button', { name: 'Test connection' }).click();
  const report = page.getByRole('status', { name: 'Connection test' });
  await expect.poll(() => report.innerText()).toContain('Nothing answers at this host and port.');
  expect(await page.getByLabel('Password').inputValue()).toBe('swordfish-canary');
  await page.getByLabel('Port').fill(redis.port);
  await page.getByLabel('User').fill(decodeURIComponent(redis.username));
  await page.getByLabel('Password').fill(decodeURIComponent(redis.password));
  await page.getByRole('button', { name: 'Test connection' }).click();
  await expect.poll(() => report.innerText()).toContain('can serve');
  await screenshot('console-new-service');
  expect(await accessibilityFaults(page)).toEqual([]);

  await page.getByRole('button', { name: 'Save' }).click();
  await expect.poll(() => page.getByRole('heading', { level: 1 }).innerText()).toBe('Orders Cache active');
  expect(await page.getByRole('main').innerText()).toContain(HOSTILE);
  await screenshot('console-service');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await page.getByRole('link', { name: 'Try it in API Docs' }).getAttribute('href')).toContain(
    '/docs?service=orders',
  );
  await expect
    .poll(
      async () =>
        (await api.call('/api/v2/orders', { method: 'POST', json: { resource: [{ key: 'a', value: 1 }] } }))
          .status,
    )
    .toBe(201);
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
  expect(api.logged()).not.toContain('swordfish-canary');
});

test('what a form says wrong is told, and what was typed stays', SLOW, async (t) => {
  const { api, page } = await setup(t);
  await page.goto(`${api.url}/admin/new-service?kind=cache_redis`);

  await page.getByLabel('Name').fill('no name');
  await page.getByLabel('Port').fill('many');
  await page.getByRole('button', { name: 'Save' }).click();

  await expect
    .poll(() => page.getByRole('alert').innerText())
    .toContain('1 to 40 letters, digits, hyphens or underscores');
  expect(await page.getByLabel('Port').inputValue()).toBe('many');
});

test('keys of a cache are browsed, looked into and deleted', SLOW, async (t) => {
  const { api, page, errors, screenshot } = await setup(t, { colorScheme: 'dark' });
  const resource = [
    { key: `user:${HOSTILE}`, value: { name: HOSTILE }, ttl: 3_600 },
    { key: 'user:2', value: 2, ttl: 0 },
    { key: 'other', value: null },
  ];
  await api.call('/api/v2/redis', { method: 'POST', json: { resource } });

  await page.getByRole('link', { name: 'Caches' }).click();
  await page.getByRole('link', { name: 'redis', exact: true }).click();
  await page.getByLabel('Begins with').fill('user:');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect.poll(() => page.getByRole('row').count()).toBe(3);
  await screenshot('console-keys');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('link', { name: `user:${HOSTILE}` }).click();
  await expect
    .poll(() => page.getByLabel('Value').innerText())
    .toBe(JSON.stringify({ name: HOSTILE }, undefined, 2));
  await screenshot('console-value');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Delete' }).click();

  await expect.poll(() => page.getByRole('status').innerText()).toBe(`Deleted user:${HOSTILE}.`);
  const left = (await (await api.call('/api/v2/redis?as_list=true')).json()) as { resource: string[] };
  expect(left.resource.sort()).toEqual(['other', 'user:2']);
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Delete every key of this service' }).click();
  await expect.poll(() => page.getByRole('status').innerText()).toBe('Deleted 2 keys.');
  expect(errors).toEqual([]);
});

test('the sessions of a user are listed and ended', SLOW, async (t) => {
  const { api, page, errors, screenshot } = await setup(t);
  for (const agent of ['phone', HOSTILE])
    await api.call('/api/v2/sessions', { method: 'POST', json: { user_id: 'ada', agent } });

  await page.getByRole('link', { name: 'Sessions' }).click();
  await page.getByLabel('User').fill('ada');
  await page.getByRole('button', { name: 'Show' }).click();
  const row = page.getByRole('row').filter({ hasText: 'phone' });
  await row.waitFor();
  await screenshot('console-sessions');
  expect(await accessibilityFaults(page)).toEqual([]);
  await row.getByRole('button', { name: 'End' }).click();
  await expect.poll(() => page.getByRole('status').innerText()).toBe('The session is ended.');
  expect(await page.getByRole('row').count()).toBe(2);
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();

  await expect.poll(() => page.getByRole('status').innerText()).toBe('Ended 1 session of ada.');
  expect(errors).toEqual([]);
});

test('whoever may only look sees no action, and a forged one is refused', SLOW, async (t) => {
  const { page, open, signIn } = await consoleUnderTest(t);
  await signIn(['board:read', 'cache:read', 'system:read']);
  await open('/services/redis');

  await page.getByRole('link', { name: 'Browse its keys' }).waitFor();
  expect(await page.getByRole('main').getByRole('button').count()).toBe(0);
  const status = await page.evaluate<number>(
    "fetch('/admin/caches/redis/flush', { method: 'POST', body: new URLSearchParams({ csrf: '' }) }).then(({ status }) => status)",
  );
  expect(status).toBe(403);
});
