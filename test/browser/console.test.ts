import { expect, test } from 'vitest';
import { accessibilityFaults, consoleUnderTest } from './operator.ts';

const SLOW = { timeout: 90_000 };

test('shows the overview to whoever signs in, and moves with what happens', SLOW, async (t) => {
  const { api, page, errors, strays, signIn, screenshot } = await consoleUnderTest(t);
  const enqueue = (queue: string, data: unknown) =>
    api.call(`/api/v2/queues/${queue}/jobs`, { method: 'POST', json: { name: 'welcome', data } });
  await enqueue('mail', { to: 'ada@example.org' });
  await enqueue('images', {});

  await signIn(['board', 'jobs:read']);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  const waiting = page.locator('[data-live="queue:mail:waiting"]');
  expect(await waiting.textContent()).toBe('1');
  await page.getByText('live', { exact: true }).waitFor();
  await enqueue('mail', {});
  await enqueue('mail', {});

  await expect.poll(() => waiting.textContent(), { timeout: 10_000 }).toBe('3');
  await screenshot('console-overview');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});
