import type { TestContext } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { accessibilityFaults, consoleUnderTest } from './operator.ts';

const SLOW = { timeout: 90_000 };
const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(1)</script>',
  "' onclick='alert(1)",
  '\u202e<b>evil</b>',
];

async function setup(t: TestContext, options: Parameters<typeof consoleUnderTest>[1] = {}) {
  const operator = await consoleUnderTest(t, options);
  const { api } = operator;
  const enqueue = async (queue: string, name: string, data: unknown, opts: unknown = {}) => {
    const reply = await api.call(`/api/v2/queues/${queue}/jobs`, {
      method: 'POST',
      json: { name, data, opts },
    });
    expect(reply.status).toBe(201);
    return ((await reply.json()) as { id: string }).id;
  };
  /** Lets an outside worker fail all jobs of a queue. */
  const failAll = async (queue: string, message: string, jobs: number) => {
    const taken = await api.call(`/api/v2/queues/${queue}/leases`, { method: 'POST', json: { count: jobs } });
    const { resource } = (await taken.json()) as { resource: { lease: string }[] };
    expect(resource).toHaveLength(jobs);
    for (const { lease } of resource) {
      const json = { error: { message, stack: `Error: ${message}` }, retryable: false };
      expect((await api.call(`/api/v2/leases/${lease}/fail`, { method: 'POST', json })).status).toBe(200);
    }
  };
  return { ...operator, enqueue, failAll };
}

test('an operator holds a queue, looks into a job, and lets it run again', SLOW, async (t) => {
  const { page, errors, strays, signIn, open, screenshot, enqueue, failAll, api } = await setup(t);
  const id = await enqueue('mail', 'welcome', { to: 'ada@example.org', password: 'hunter2-canary' });
  await failAll('mail', 'wrong password hunter2-canary', 1);
  await enqueue('mail', 'later', {}, { delay: 3_600_000 });
  await signIn(['board:*', 'jobs:*', 'limits:*']);

  await page.getByRole('link', { name: 'Queues' }).click();
  await screenshot('console-queues');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('running').waitFor({ state: 'detached' });
  expect(await page.getByRole('status').textContent()).toBe('The queue is held: no job of it is begun.');
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('link', { name: 'failed 1' }).click();
  await page.getByText('wrong password [redacted]').waitFor();
  await screenshot('console-queue');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('link', { name: id }).click();
  await page.getByText('"password": "[redacted]"').waitFor();
  await screenshot('console-job');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await page.content()).not.toContain('hunter2');
  await page.getByRole('button', { name: 'Retry' }).click();
  await page.getByText('waiting', { exact: true }).waitFor();
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.getByText(`The job ${id} is gone.`).waitFor();

  expect((await api.call(`/api/v2/queues/mail/jobs/${id}`)).status).toBe(404);
  await open('/jobs/mail/nothing');
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Nothing here');
  expect(strays).toEqual([]);
  expect(errors).toEqual([expect.stringContaining('404')]);
});

test('hostile names and data are text on every page', SLOW, async (t) => {
  const { page, errors, strays, signIn, open, screenshot, enqueue, failAll, api } = await setup(t);
  const dialogs: string[] = [];
  page.on('dialog', async (dialog) => {
    dialogs.push(dialog.message());
    await dialog.dismiss();
  });
  const ids: string[] = [];
  for (const text of HOSTILE) ids.push(await enqueue('mail', text, { [text]: `${text}\u001b[31m` }));
  await failAll('mail', HOSTILE.join(' '), HOSTILE.length);
  const scheduled = { schedule: { every: 3_600_000 }, name: HOSTILE[0], data: { a: HOSTILE[1] } };
  await api.call('/api/v2/queues/mail/schedulers/nightly', { method: 'PUT', json: scheduled });
  const limit = { name: 'hostile', algorithm: 'fixed', limit: 1, period: 'hour' };
  await api.call('/api/v2/system/limit', { method: 'POST', json: limit });
  for (let round = 0; round < 3; round += 1) {
    await api.call('/api/v2/limits/hostile/consume', { method: 'POST', json: { key: HOSTILE[1] } });
  }
  await signIn(['*']);

  const paths = ['/jobs/mail?state=failed', ...ids.map((id) => `/jobs/mail/${id}`), '/schedulers', '/limits'];
  for (const path of paths) {
    await open(path);
    expect(await page.locator('main').innerText()).toMatch(/<img|<script|onclick|\\u202e/);
    expect(await page.locator('main :is(script, img, b, [onclick])').count()).toBe(0);
    if (!path.includes('j_')) await screenshot(`console-hostile${path.replace(/\W+/g, '-')}`);
    expect(await accessibilityFaults(page)).toEqual([]);
  }
  await page.getByRole('button', { name: 'Let in' }).click();
  await page.getByText('begins anew').waitFor();
  await page.getByText('Nobody is being refused.').waitFor();
  expect({ dialogs, errors, strays }).toEqual({ dialogs: [], errors: [], strays: [] });
});

test('finds jobs by name, id and data', SLOW, async (t) => {
  const { page, errors, signIn, open, enqueue } = await setup(t);
  const id = await enqueue('mail', 'welcome', { to: 'ada@example.org' });
  await enqueue('mail', 'bill', { to: 'bo@example.org' });
  await signIn(['board:*', 'jobs:*']);
  await open('/jobs/mail');
  const search = async (label: string, text: string) => {
    await page.getByLabel(label).fill(text);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('Looked at 2 jobs.').waitFor();
    const found = await page.locator('table td:nth-child(2)').allTextContents();
    await page.getByLabel(label).fill('');
    return found;
  };

  expect(await search('Whole name', 'bill')).toEqual(['bill']);
  expect(await search('Part of the data', 'ada@')).toEqual(['welcome']);
  expect(await search('Part of the id', id.slice(4))).toEqual(['welcome']);
  expect(errors).toEqual([]);
});

test('a tenant sees and holds his own queues, and no sign of another', SLOW, async (t) => {
  const { page, signIn, open, enqueue } = await setup(t);
  await enqueue('acme-mail', 'welcome', {});
  await enqueue('umbra-mail', 'welcome', {});
  await signIn(['board:*', 'jobs:read:acme-*']);
  const texts: string[] = [];

  for (const path of ['', '/jobs', '/schedulers']) {
    await open(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    texts.push(await page.content());
  }
  expect(texts.join()).toContain('acme-mail');
  expect(texts.join()).not.toContain('umbra');
  expect(await page.getByRole('button', { name: 'Pause' }).count()).toBe(0);
  await open('/jobs/umbra-mail');
  await page.getByRole('heading', { name: 'Nothing here' }).waitFor();
  const [{ value: cookie = '' } = {}] = await page.context().cookies();
  const live = await fetch(page.url().replace('/admin/', '/admin/live/'), {
    headers: { Cookie: `sluice-operator=${cookie}` },
  });
  const reader = live.body?.getReader();
  const first = new TextDecoder().decode((await reader?.read())?.value);
  await reader?.cancel();

  expect(first).toBe('event: away\ndata: {}\n\n');
});
