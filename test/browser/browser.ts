/** This file owns a real browser for tests: Debian's Chromium, a profile of its own each time, and what went wrong in it. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from '@sluice/redis/testing';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Pictures of the last run, for people. */
const SCREENSHOTS = join(tmpdir(), 'sluice-screenshots');
const START_TIMEOUT_MS = 60_000;
const STEP_TIMEOUT_MS = 10_000;

export interface Browser {
  page: Page;
  context: BrowserContext;
  /** Errors in the console and uncaught ones, a refused style or script among them, in order. */
  errors: string[];
  /** Addresses of requests that went, or tried to go, to another host than `origin`. */
  strays: string[];
  /** A picture of what is seen, in `<temporary folder>/sluice-screenshots`; answers its path. */
  screenshot(name: string): Promise<string>;
}

interface BrowserOptions {
  /** Where the pages under test are: `http://127.0.0.1:8080`. A request that leaves it is stopped and remembered. */
  origin: string;
  colorScheme?: 'light' | 'dark';
  viewport?: { width: number; height: number };
}

/** Opens a browser that closes with the test. */
export async function openBrowser(t: TestContext, options: BrowserOptions): Promise<Browser> {
  const { origin, colorScheme = 'light', viewport = { width: 1_280, height: 800 } } = options;
  const profile = await mkdtemp(join(tmpdir(), 'sluice-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: ARGUMENTS,
    headless: true,
    colorScheme,
    viewport,
    timeout: START_TIMEOUT_MS,
  });
  t.onTestFinished(async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  });
  context.setDefaultTimeout(STEP_TIMEOUT_MS);
  const errors: string[] = [];
  const strays: string[] = [];
  await context.route(
    (url) => url.origin !== origin && /^(?:https?|wss?):$/.test(url.protocol),
    async (route) => {
      strays.push(route.request().url());
      await route.abort();
    },
  );
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  return {
    page,
    context,
    errors,
    strays,
    async screenshot(name) {
      await mkdir(SCREENSHOTS, { recursive: true });
      const path = join(SCREENSHOTS, `${name}.png`);
      await page.screenshot({ path });
      return path;
    },
  };
}
