import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { untilReady } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { type BoardUnderTest, boardUnderTest } from '../../apps/api/test/board/setup.ts';
import { openBrowser } from './browser.ts';

const SLOW = { timeout: 90_000 };

async function signIn(page: Page, key: string): Promise<void> {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in with the key' }).click();
}

/** Faults that a checker of accessibility finds in the page as it is. */
async function accessibilityFaults(page: Page): Promise<[string, number][]> {
  const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  await page.evaluate(await readFile(axe, 'utf8'));
  const run =
    'axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.length]))';
  return await page.evaluate<[string, number][]>(run);
}

test('shows queues and jobs to whoever signs in, and lets them out', SLOW, async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  const mail = await board.queue('mail');
  await board.queue('images');
  await mail.add('welcome', { to: 'ada@example.org', password: 'hunter2-canary' }, { jobId: 'j_1' });
  const { page, errors, strays, screenshot } = await openBrowser(t, board);

  await page.goto(`${board.address}/queue/mail`);
  await screenshot('board-sign-in');
  expect(await accessibilityFaults(page)).toEqual([]);
  await signIn(page, key);

  await page.getByText('ada@example.org').waitFor();
  expect(new URL(page.url()).pathname).toBe('/admin/queues/queue/mail');
  expect(await page.content()).not.toContain('hunter2');
  await screenshot('board-queue');
  expect(
    await page
      .locator('button:has(.lucide-trash-2), button[aria-haspopup=menu]:has(.lucide-ellipsis-vertical)')
      .count(),
  ).toBe(0);

  await page.getByRole('link', { name: 'Sluice' }).click();
  await page.locator('main').getByRole('link', { name: 'images' }).waitFor();
  await screenshot('board-overview');

  await page.locator('header button').last().click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await screenshot('board-sign-out');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('API key').waitFor();
  await page.goto(board.address);
  expect(new URL(page.url()).pathname).toBe('/admin/login');
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});

test('tells a person with a wrong key so, in the dark as well', SLOW, async (t) => {
  const board = await boardUnderTest(t);
  const { page, errors, strays, screenshot } = await openBrowser(t, {
    origin: board.origin,
    colorScheme: 'dark',
  });

  await page.goto(board.address);
  await signIn(page, 'wrong-wrong-wrong');

  expect(await page.getByRole('alert').textContent()).toBe('This key is unknown, revoked or expired.');
  await screenshot('board-wrong-key');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await page.context().cookies()).toEqual([]);
  expect(strays).toEqual([]);
  expect(errors).toEqual([
    `Failed to load resource: the server responded with a status of 401 (Unauthorized) (${board.origin}/admin/login)`,
  ]);
});

test('shows hostile names and data as text', SLOW, async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  const mail = await board.queue('mail');
  const corpus = [
    '<img src=x onerror=alert(1)>',
    '"><script>alert(1)</script>',
    '<svg onload=alert(1)>',
    '</script><script>alert(1)</script>',
    '{{constructor.constructor("alert(1)")()}}',
    '<a href="javascript:alert(1)">x</a>',
    '<iframe srcdoc="<script>alert(1)</script>">',
    '\u202e<b>evil</b>\u0000\u001b[31m',
  ];
  for (const [index, text] of corpus.entries()) {
    await mail.add(
      text,
      { [text]: text, list: [text] },
      { jobId: `j_${index}`, deduplication: { id: text } },
    );
  }
  board.work('mail', async (job) => {
    await job.log(job.name);
    await job.updateProgress({ [job.name]: job.name });
    throw new Error(job.name);
  });
  await expect.poll(async () => (await mail.getJobCounts('failed')).failed).toBe(corpus.length);
  const { page, errors, strays, screenshot } = await openBrowser(t, board);
  const dialogs: string[] = [];
  page.on('dialog', async (dialog) => {
    dialogs.push(dialog.message());
    await dialog.dismiss();
  });

  await page.goto(`${board.address}/queue/mail?status=failed`);
  await signIn(page, key);
  for (const index of corpus.keys()) {
    await page.goto(`${board.address}/queue/mail/j_${index}`);
    await page.getByText(`j_${index}`).first().waitFor();
    const shown = await page.locator('main').innerText();
    for (const tab of ['Data', 'Progress', 'Options', 'Logs', 'Error']) {
      await page.getByRole('tab', { name: tab }).click();
      await page.getByRole('tabpanel').or(page.locator('main pre')).first().waitFor();
    }
    expect(shown).toContain((corpus[index] as string).replace('\u202e', '\\u202e').slice(0, 12));
  }
  await screenshot('board-hostile');

  const made = await page.locator('main :is(script, iframe, img[src="x"], a[href^="javascript"])').count();
  expect({ dialogs, made, errors, strays }).toEqual({ dialogs: [], made: 0, errors: [], strays: [] });
});

test('offers an operator what works, and nothing that is refused', SLOW, async (t) => {
  const board = await boardUnderTest(t);
  const mail = await plantFailures(board);
  const { page, errors, strays, screenshot } = await openBrowser(t, board);
  const iconsOf = (place: string) =>
    page
      .locator(`${place} svg.lucide:visible`)
      .evaluateAll((icons) => [...new Set(icons.map(({ classList }) => classList[1]))].sort());

  await page.goto(`${board.address}/queue/mail?status=failed`);
  await signIn(page, await board.makeKey(['board:*', 'jobs:*']));
  await page.getByText('wrong password [redacted]').first().waitFor();
  expect(await iconsOf('main')).toEqual(expect.arrayContaining(['lucide-refresh-cw', 'lucide-trash2']));
  expect(await iconsOf('main')).not.toEqual(expect.arrayContaining([expect.stringMatching(/files|pencil/)]));
  await page.locator('button[aria-haspopup=menu]').last().click();
  await page.getByRole('menu').waitFor();
  expect(await page.getByRole('menuitem').allInnerTexts()).toEqual([
    'Retry all 2 failed jobs',
    'Pause',
    'Set concurrency',
    'Set rate limit',
  ]);
  await screenshot('board-operator');
  await page.getByRole('menuitem', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await expect.poll(() => mail.isPaused()).toBe(true);

  await page.getByRole('button', { name: 'Retry all' }).click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await expect
    .poll(async () => await mail.getJobCounts('failed', 'waiting'))
    .toEqual({ failed: 0, waiting: 2 });

  await page.goto(`${board.address}/job-schedulers`);
  await page.getByText('nightly').first().waitFor();
  expect(await iconsOf('td')).toEqual(['lucide-chevron-down']);
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(`${board.address}/queue/mail`);
  await page.getByText('welcome').first().waitFor();
  await screenshot('board-phone');
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});

test('offers an admin to throw a queue away, and does it', SLOW, async (t) => {
  const board = await boardUnderTest(t);
  const mail = await plantFailures(board);
  await mail.add('welcome', { to: 'ada@example.org' }, { jobId: 'j_3' });
  const { page, errors, strays, screenshot } = await openBrowser(t, board);

  await page.goto(`${board.address}/queue/mail`);
  await signIn(page, await board.makeKey(['*']));
  await page.getByText('welcome').first().waitFor();
  await page.locator('button[aria-haspopup=menu]').last().click();
  await page.getByRole('menuitem', { name: 'Empty' }).click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await expect
    .poll(async () => await mail.getJobCounts('failed', 'waiting'))
    .toEqual({ failed: 2, waiting: 0 });
  await screenshot('board-admin');
  expect({ errors, strays }).toEqual({ errors: [], strays: [] });
});

test('searches the queue that is looked at, and leads to the console and back', SLOW, async (t) => {
  const board = await boardUnderTest(t);
  const hostile = '<img src=x onerror=alert(1)>';
  const mail = await board.queue('acme-mail');
  await mail.add(hostile, { to: 'ada@example.org', note: hostile }, { jobId: 'j_found' });
  const hidden = await board.queue('other-mail');
  await hidden.add('theirs', { to: 'ada@example.org' }, { jobId: 'j_theirs' });
  const { page, errors, strays, screenshot } = await openBrowser(t, board);
  const dialogs: string[] = [];
  page.on('dialog', async (dialog) => {
    dialogs.push(dialog.message());
    await dialog.dismiss();
  });
  await page.goto(`${board.address}/queue/acme-mail`);
  await signIn(page, await board.makeKey(['board', 'jobs:read:acme-*']));
  await page.getByText('ada@example.org').first().waitFor();
  expect(await page.getByText('other-mail').count()).toBe(0);

  await page.getByRole('searchbox', { name: 'Search jobs' }).fill('ada@');
  await screenshot('board-search-bar');
  await page.getByRole('search').getByRole('button', { name: 'Search' }).click();
  await page.getByText('1 found among 1 jobs looked at.').waitFor();
  expect(new URL(page.url()).searchParams.get('queue')).toBe('acme-mail');
  expect(await page.locator('tbody td').nth(1).innerText()).toBe(hostile);
  expect(await page.locator('#queue option').allInnerTexts()).toEqual(['every queue', 'acme-mail']);
  await screenshot('board-search');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  await screenshot('board-search-dark');
  expect(await accessibilityFaults(page)).toEqual([]);

  await page.getByRole('link', { name: 'j_found' }).click();
  await page.getByText('j_found').first().waitFor();
  expect(new URL(page.url()).pathname).toBe('/admin/queues/queue/acme-mail/j_found');
  const ways = await page
    .locator('.sluice-bar a')
    .evaluateAll((links) => links.map((link) => link.getAttribute('href')));
  expect(ways).toEqual(['/admin', '/docs']);
  expect({ dialogs, errors, strays }).toEqual({ dialogs: [], errors: [], strays: [] });
});

test('says that Redis is away, and comes back by itself', SLOW, async (t) => {
  const server = await testServer(t);
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const board = await boardUnderTest(t, { client });
  const register = () => client.sadd(`${board.redis.prefix}:jobs:queues`, 'mail');
  await register();
  const { page, strays, screenshot } = await openBrowser(t, board);
  await page.goto(board.address);
  await signIn(page, await board.makeKey(['board', 'jobs:read']));
  await page.getByRole('link', { name: 'mail' }).first().waitFor();

  server.pause();
  await page.getByText('Redis is away').waitFor({ timeout: 20_000 });
  await screenshot('board-redis-away-while-open');
  await page.reload();
  await page.getByRole('heading', { name: 'Redis is away' }).waitFor();
  await screenshot('board-redis-away');
  server.resume();

  await page.getByRole('link', { name: 'mail' }).first().waitFor({ timeout: 20_000 });
  expect(strays).toEqual([]);
});

async function plantFailures(board: BoardUnderTest) {
  const mail = await board.queue('mail');
  const data = { to: 'ada@example.org', password: 'hunter2-canary' };
  await mail.add('welcome', data, { jobId: 'j_1' });
  await mail.add('welcome', data, { jobId: 'j_2' });
  const worker = board.work('mail', () => Promise.reject(new Error('wrong password hunter2-canary')));
  await expect.poll(async () => (await mail.getJobCounts('failed')).failed).toBe(2);
  await worker.close();
  await mail.upsertJobScheduler(
    'nightly',
    { every: 3_600_000, startDate: Date.now() + 3_600_000 },
    { name: 'nightly', data: { token: 'hunter2-canary' } },
  );
  return mail;
}
