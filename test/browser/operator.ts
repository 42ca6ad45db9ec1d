/** This file owns an operator at the console for tests: a running API, a browser signed in, and what a page is checked for. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { TestContext } from '@sluice/redis/testing';
import type { Page } from 'playwright-core';
import { startApi, type TestApi } from '../../apps/api/test/harness.ts';
import { type Browser, openBrowser } from './browser.ts';

export interface ConsoleUnderTest extends Browser {
  api: TestApi;
  /** Opens a path below the console. */
  open(path: string): Promise<void>;
  /** Signs in with a key of these scopes; lands at the overview. */
  signIn(scopes: string[]): Promise<void>;
}

export async function consoleUnderTest(
  t: TestContext,
  options: {
    variables?: Record<string, string>;
    colorScheme?: 'light' | 'dark';
    viewport?: { width: number; height: number };
  } = {},
): Promise<ConsoleUnderTest> {
  const { variables = {}, ...looks } = options;
  const api = await startApi(t, variables);
  const browser = await openBrowser(t, { origin: api.url, ...looks });
  const { page } = browser;
  const open = async (path: string) => {
    await page.goto(`${api.url}/admin${path}`);
  };
  return {
    ...browser,
    api,
    open,
    async signIn(scopes) {
      await open('/login');
      await page.getByLabel('API key').fill(await api.makeKey(scopes));
      await page.getByRole('button', { name: 'Sign in with the key' }).click();
      await page.getByRole('link', { name: 'Sign out' }).waitFor();
    },
  };
}

/** Faults that a checker of accessibility finds in the page as it is. */
export async function accessibilityFaults(page: Page): Promise<[string, number][]> {
  const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  await page.evaluate(await readFile(axe, 'utf8'));
  const run =
    'axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.length, nodes[0].html.slice(0, 160)]))';
  return await page.evaluate<[string, number][]>(run);
}
