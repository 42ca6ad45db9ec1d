import { type RouteDeclaration, routes } from '@sluice/contract';
import { expect, test } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';
import { openBrowser } from './browser.ts';

const SLOW = { timeout: 90_000 };
const all: readonly RouteDeclaration[] = Object.values(routes);

test('shows every operation, and nothing from another host', SLOW, async (t) => {
  const api = await startApi(t);
  const { page, errors, strays, screenshot } = await openBrowser(t, { origin: api.url });

  await page.goto(`${api.url}/docs`);
  await page.locator('.opblock').first().waitFor({ timeout: 30_000 });

  await expect.poll(() => page.locator('.opblock').count()).toBe(all.length);
  expect(await page.title()).toBe('Sluice API');
  const tags = await page.locator('.opblock-tag').evaluateAll((each) => each.map((tag) => tag.dataset.tag));
  expect(tags.sort()).toEqual([...new Set(all.map(({ tag }) => tag))].sort());
  await screenshot('docs-operations');
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});

test('tries a call out with a key', SLOW, async (t) => {
  const api = await startApi(t);
  await api.call('/api/v2/redis/user:1', { method: 'POST', json: { value: { name: 'Ada' } } });
  const { page, errors, strays, screenshot } = await openBrowser(t, { origin: api.url });
  await page.goto(`${api.url}/docs`);

  await page.locator('button.authorize').first().click({ timeout: 30_000 });
  const scheme = page.locator('.auth-container').filter({ hasText: 'X-DreamFactory-API-Key' });
  await scheme.locator('input').fill(api.key);
  await scheme.getByRole('button', { name: 'Apply credentials' }).click();
  await scheme.getByRole('button', { name: 'Close' }).click();
  const operation = page.locator('#operations-cache-readValue');
  await operation.locator('.opblock-summary').click();
  await operation.getByPlaceholder('service').fill('redis');
  await operation.getByPlaceholder('key', { exact: true }).fill('user:1');
  await operation.getByRole('button', { name: 'Execute' }).click();

  const answer = operation.locator('.live-responses-table');
  await answer.waitFor();
  await answer.scrollIntoViewIfNeeded();
  await screenshot('docs-tried-out');
  expect(await answer.locator('.response-col_status').last().innerText()).toContain('200');
  const body = await answer.locator('.highlight-code code').first().innerText();
  expect(JSON.parse(body)).toEqual({ key: 'user:1', value: { name: 'Ada' } });
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});
