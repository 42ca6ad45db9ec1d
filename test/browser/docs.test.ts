import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type RouteDeclaration, routes } from '@sluice/contract';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';
import { openBrowser } from './browser.ts';

const SLOW = { timeout: 120_000 };
const LOADED = { timeout: 60_000 };
const all: readonly RouteDeclaration[] = Object.values(routes);

/** Opens the page, and waits until it shows its operations. */
async function openDocs(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await page.locator('.opblock').first().waitFor(LOADED);
}

async function giveKey(page: Page, key: string): Promise<void> {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
}

/** Opens the part of an operation and answers it. */
async function unfold(page: Page, tag: string, id: string) {
  const operation = page.locator(`[id="operations-${tag}-${id}"]`);
  await operation.locator('.opblock-summary').click();
  await operation.locator('.samples').waitFor();
  return operation;
}

/** Faults that a checker of accessibility finds in what is ours. */
async function accessibilityFaults(page: Page): Promise<[string, string][]> {
  const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  await page.evaluate(await readFile(axe, 'utf8'));
  const run = `axe.run({ include: [['.top'], ['.access'], ['.setting'], ['.samples']] })
    .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => [id, html])))`;
  return await page.evaluate<[string, string][]>(run);
}

test('shows every operation, and nothing from another host', SLOW, async (t) => {
  const api = await startApi(t);
  const { page, errors, strays, screenshot } = await openBrowser(t, { origin: api.url });

  await openDocs(page, `${api.url}/docs`);

  await expect.poll(() => page.locator('.opblock').count(), LOADED).toBe(all.length);
  expect(await page.title()).toBe('Sluice API');
  const tags = await page.locator('.opblock-tag').evaluateAll((each) => each.map((tag) => tag.dataset.tag));
  expect(tags.sort()).toEqual([...new Set(all.map(({ tag }) => tag))].sort());
  expect(await page.locator('#environment').textContent()).toContain(`export SLUICE_URL=${api.url}\n`);
  await screenshot('docs-operations');
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`shows samples in three languages, by mouse and keys, in ${colorScheme}`, SLOW, async (t) => {
    const api = await startApi(t);
    const { page, errors, strays, screenshot } = await openBrowser(t, { origin: api.url, colorScheme });
    await openDocs(page, `${api.url}/docs`);

    const operation = await unfold(page, 'leases', 'completeLease');
    const panel = operation.locator('.samples pre');
    expect(await panel.textContent()).toContain('curl -X POST "$SLUICE_URL/api/v2/leases/$LEASE/complete"');
    expect(await operation.locator('.samples p').allInnerTexts()).toEqual([
      'LEASE is resource.0.lease in the answer of takeLeases.',
    ]);
    await operation.getByRole('tab', { name: 'Python', exact: true }).click();
    expect(await panel.textContent()).toContain('urllib.request.urlopen(request)');
    await page.keyboard.press('ArrowLeft');
    expect(await panel.textContent()).toContain('sluice.completeLease({');
    expect(await page.locator(':focus').textContent()).toBe('TypeScript');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await operation.getByRole('button', { name: 'Copy', exact: true }).click();
    await operation.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate<string>('navigator.clipboard.readText()')).toBe(await panel.textContent());

    await operation.locator('.samples').scrollIntoViewIfNeeded();
    await screenshot(`docs-samples-${colorScheme}`);
    expect(await accessibilityFaults(page)).toEqual([]);
    expect({ errors, strays }).toEqual({ errors: [], strays: [] });
  });
}

test('tries a call out as it stands, with a key', SLOW, async (t) => {
  const api = await startApi(t);
  const { page, errors, strays, screenshot } = await openBrowser(t, { origin: api.url });
  await openDocs(page, `${api.url}/docs`);
  await giveKey(page, api.key);
  await page.getByText('Requests are sent with this key.').waitFor();

  const storing = await unfold(page, 'cache', 'storeValues');
  await storing.getByRole('button', { name: 'Execute' }).click();
  expect(await answerOf(storing)).toEqual({
    status: '201',
    body: { resource: [{ key: 'user:123:profile', success: true }] },
  });
  const reading = await unfold(page, 'cache', 'readValue');
  await reading.getByRole('button', { name: 'Execute' }).click();
  const answer = await answerOf(reading);

  await reading.locator('.live-responses-table').scrollIntoViewIfNeeded();
  await screenshot('docs-tried-out');
  expect(answer).toEqual({
    status: '200',
    body: { key: 'user:123:profile', value: { name: 'John Doe', email: 'john@example.com' } },
  });
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});

test('says that a key is wrong', SLOW, async (t) => {
  const api = await startApi(t);
  const { page, errors, strays, screenshot } = await openBrowser(t, { origin: api.url });
  await openDocs(page, `${api.url}/docs`);

  await giveKey(page, 'wrong-wrong-wrong');

  await expect.poll(() => page.getByRole('alert').textContent()).toMatch(/key/i);
  await screenshot('docs-wrong-key');
  expect(strays).toEqual([]);
  expect(errors).toEqual([expect.stringContaining('401 (Unauthorized)')]);
});

test('shows one cache service by its name, to be tried', SLOW, async (t) => {
  const api = await startApi(t);
  const made = await api.call('/api/v2/system/service', {
    method: 'POST',
    json: { resource: [{ name: 'orders', label: 'Orders Cache', type: 'cache_redis' }] },
  });
  expect(made.status).toBe(201);
  const { page, errors, strays, screenshot } = await openBrowser(t, { origin: api.url });

  await page.goto(`${api.url}/docs?service=orders`);
  await page.getByText('Give an API key that may read orders').waitFor(LOADED);
  await giveKey(page, api.key);
  await page.getByRole('heading', { name: 'Orders Cache' }).waitFor(LOADED);

  const paths = await page
    .locator('.opblock-summary-path')
    .evaluateAll((each) => each.map((path) => path.getAttribute('data-path')));
  expect([...new Set(paths)].filter((path) => !path?.startsWith('/api/v2/orders'))).toEqual([]);
  const storing = await unfold(page, 'cache', 'storeValues');
  expect(await storing.locator('.samples pre').textContent()).toContain('"$SLUICE_URL/api/v2/orders"');
  await storing.getByRole('tab', { name: 'TypeScript' }).click();
  expect(await storing.locator('.samples pre').textContent()).toContain("params: { service: 'orders' }");
  await storing.getByRole('button', { name: 'Execute' }).click();
  expect((await answerOf(storing)).status).toBe('201');
  await screenshot('docs-service');
  const stored = await api.call('/api/v2/orders/user:123:profile');
  expect(stored.status).toBe(200);
  expect(await page.locator('#services option').evaluateAll((each) => each.map((one) => one.value))).toEqual([
    'redis',
    'orders',
  ]);

  await page.getByLabel('Cache service').fill('nothing');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect.poll(() => page.getByRole('alert').textContent()).toContain('nothing');
  expect(strays).toEqual([]);
  expect(errors).toEqual([expect.stringContaining('404')]);
});

async function answerOf(operation: ReturnType<Page['locator']>) {
  const answer = operation.locator('.live-responses-table');
  await answer.waitFor();
  const status = await answer.locator('tbody .response-col_status').first().innerText();
  const body = await answer.locator('.highlight-code code').first().innerText();
  return { status: status.trim().split(/\s/)[0], body: JSON.parse(body) as unknown };
}
