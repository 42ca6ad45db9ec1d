import type { TestContext } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { accessibilityFaults, consoleUnderTest } from './operator.ts';

const SLOW = { timeout: 90_000 };

/** An admin at a console with something to show, and the addresses of all pages of the navigation. */
async function setup(t: TestContext, options: Parameters<typeof consoleUnderTest>[1]) {
  const operator = await consoleUnderTest(t, options);
  const { api, page, signIn } = operator;
  await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json: { name: 'welcome', data: { a: 1 } } });
  const scheduler = { schedule: { cron: '0 3 * * *', tz: 'Europe/Berlin' }, name: 'report', data: {} };
  await api.call('/api/v2/queues/mail/schedulers/nightly', { method: 'PUT', json: scheduler });
  await api.call('/api/v2/redis', {
    method: 'POST',
    json: { resource: [{ key: 'user:1', value: { n: 1 } }] },
  });
  await signIn(['*']);
  const addresses = await page
    .locator('nav a[href^="/admin"]:not([href="/admin/queues"])')
    .evaluateAll((links) =>
      links.map((link) => new URL(String(link.getAttribute('href')), link.baseURI).href),
    );
  return { ...operator, addresses: [...addresses, `${api.url}/admin/jobs/mail`] };
}

test.for([
  { name: 'light', looks: { colorScheme: 'light' } },
  { name: 'dark', looks: { colorScheme: 'dark' } },
  { name: 'phone', looks: { viewport: { width: 390, height: 844 } } },
  { name: 'dark phone', looks: { colorScheme: 'dark', viewport: { width: 390, height: 844 } } },
] as const)('every page can be read by everybody: $name', SLOW, async ({ name, looks }, t) => {
  const { page, errors, strays, screenshot, addresses } = await setup(t, looks);
  const found: unknown[] = [];

  for (const address of addresses) {
    await page.goto(address);
    const place = new URL(address).pathname;
    const faults = await accessibilityFaults(page);
    const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    if (faults.length > 0 || overflow > 0) found.push([place, faults, overflow]);
    await screenshot(`console-${name}${place.replace(/\W+/g, '-')}`.replace(' ', '-'));
  }

  expect(addresses.length).toBeGreaterThan(6);
  expect(found).toEqual([]);
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});

test('the keys alone lead everywhere', SLOW, async (t) => {
  const { api, page, open } = await consoleUnderTest(t);
  await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json: { name: 'welcome', data: {} } });
  const key = await api.makeKey(['board:*', 'jobs:*']);
  await open('/login');
  await page.keyboard.type(key);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();

  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Skip to content');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('mail');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'mail' }).waitFor();
  await page.getByRole('button', { name: 'Pause' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Resume' }).waitFor();

  expect(await (await api.call('/api/v2/queues/mail')).json()).toMatchObject({ is_paused: true });

  function focused(): Promise<string> {
    return page.evaluate<string>('document.activeElement.textContent.trim()');
  }
});

test('one sign-in serves the console and the board, each with a way to the other', SLOW, async (t) => {
  const { api, page, errors, strays, signIn } = await consoleUnderTest(t);
  await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json: { name: 'welcome', data: {} } });
  await signIn(['board', 'jobs:read']);

  await page.getByRole('link', { name: 'Bull Board' }).click();
  await page.getByRole('link', { name: 'mail' }).first().waitFor();
  await page.locator('header button').last().click();
  await page.getByRole('menuitem', { name: 'Console' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.getByRole('link', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.goto(`${api.url}/admin/queues`);

  expect(new URL(page.url()).pathname).toBe('/admin/login');
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});
