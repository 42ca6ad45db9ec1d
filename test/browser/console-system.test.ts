import { expect, test } from 'vitest';
import { accessibilityFaults, consoleUnderTest } from './operator.ts';

const SLOW = { timeout: 90_000 };
const HOSTILE = '<img src=x onerror=alert(1)>';

test('an admin makes a key that is shown once, rotates and revokes it', SLOW, async (t) => {
  const { api, page, errors, strays, signIn, open, screenshot } = await consoleUnderTest(t);
  await signIn(['*']);
  await open('/keys');
  const label = page.getByLabel('Label');

  await label.fill(HOSTILE);
  await page.getByLabel('Scopes').fill('jobs:nothing');
  await page.getByRole('button', { name: 'Make the key' }).click();
  expect(await page.getByRole('alert').textContent()).toContain("scope 'jobs:nothing'");
  expect(await label.inputValue()).toBe(HOSTILE);
  await page.getByLabel('Scopes').fill('jobs:enqueue:mail\nboard');
  await page.getByRole('button', { name: 'Make the key' }).click();
  const key = (await page.locator('#secret').textContent()) ?? '';
  await screenshot('console-new-key');
  expect(await accessibilityFaults(page)).toEqual([]);
  const enqueue = (queue: string) =>
    api.call(`/api/v2/queues/${queue}/jobs`, { method: 'POST', json: { name: 'a', data: {} }, key });
  expect([(await enqueue('mail')).status, (await enqueue('other')).status]).toEqual([201, 403]);

  await page.getByRole('link', { name: 'To the keys' }).click();
  await screenshot('console-keys');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await page.content()).not.toContain(key);
  page.on('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: `Suspend ${HOSTILE}` }).click();
  await page.getByText('opens nothing for now').waitFor();
  await expect.poll(async () => (await enqueue('mail')).status).toBe(401);
  await page.getByRole('button', { name: `Restore ${HOSTILE}` }).click();
  await page.getByRole('button', { name: `Rotate ${HOSTILE}` }).click();
  await page.getByText('The old key works for a day more.').waitFor();
  await open('/keys');
  await page
    .getByRole('button', { name: `Revoke ${HOSTILE}` })
    .first()
    .click();
  await page.getByText('opens nothing any more').waitFor();

  await open('/audit');
  await page.getByText('key.revoke').waitFor();
  await page.locator('summary').first().click();
  await screenshot('console-audit');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await page.locator('main :is(img, script)').count()).toBe(0);
  expect(strays).toEqual([]);
  expect(errors).toEqual([expect.stringContaining('400')]);
});

test('an admin makes an account, which signs in with what its role may do', SLOW, async (t) => {
  const { page, errors, strays, signIn, open, screenshot } = await consoleUnderTest(t, {
    colorScheme: 'dark',
  });
  await signIn(['*']);
  await open('/accounts');

  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Role', { exact: true }).selectOption('viewer');
  await page.getByRole('button', { name: 'Make the account' }).click();
  const password = (await page.locator('#secret').textContent()) ?? '';
  await page.getByRole('link', { name: 'To the accounts' }).click();
  await screenshot('console-accounts-dark');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('link', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in with the account' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();

  await page.getByRole('link', { name: 'ada' }).click();
  await page.getByLabel('Password until now').fill('wrong horse battery');
  await page.getByLabel('New password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByText('This is not your password.').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByLabel('Password until now').fill(password);
  await page.getByLabel('New password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByRole('link', { name: 'Sign in with the new password' }).click();
  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Sign in with the account' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();

  expect(await page.locator('nav a').allTextContents()).toEqual([
    'Overview',
    'Queues',
    'Schedulers',
    'Limits',
    'Bull Board',
    'API Docs',
  ]);
  await open('/keys');
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Not allowed');
  await page
    .getByText('This needs the scope system:read, which the account ada (viewer) does not have.')
    .waitFor();
  await screenshot('console-not-allowed-dark');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(strays).toEqual([]);
  expect(errors).toEqual([expect.stringContaining('400'), expect.stringContaining('403')]);
});

test('a viewer sees no action, and the server refuses a forged one', SLOW, async (t) => {
  const { api, page, signIn, open } = await consoleUnderTest(t);
  const json = { name: 'a', data: {} };
  await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json });
  await signIn(['board', 'jobs:read', 'limits:read']);
  const buttons: string[] = [];

  for (const path of ['/', '/jobs', '/jobs/mail', '/schedulers', '/limits']) {
    await open(path === '/' ? '' : path);
    buttons.push(...(await page.locator('main button').allTextContents()));
  }
  expect([...new Set(buttons)]).toEqual(['Search']);
  await open('/logout');
  const csrf = await page.locator('input[name=csrf]').inputValue();
  const send = async (path: string, token: string) =>
    await page.evaluate<number>(
      `fetch('/admin${path}', { method: 'POST', redirect: 'manual', body: new URLSearchParams({ csrf: '${token}' }) }).then(({ status }) => status)`,
    );

  expect(await send('/jobs/mail/pause', csrf)).toBe(403);
  expect(await send('/keys/create', csrf)).toBe(403);
  expect(await send('/accounts/create', csrf)).toBe(403);
  const queue = await api.call('/api/v2/queues/mail');
  expect(await queue.json()).toMatchObject({ is_paused: false });
});

test('an action without the token of the session, or of another one, is refused', SLOW, async (t) => {
  const { api, page, signIn, open } = await consoleUnderTest(t);
  await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json: { name: 'a', data: {} } });
  await signIn(['*']);
  await open('/jobs/mail');
  const [{ value: cookie = '' } = {}] = await page.context().cookies();
  const csrf = (await page.locator('input[name=csrf]').first().inputValue()) ?? '';
  const send = async (headers: Record<string, string>, token: string) => {
    const body = new URLSearchParams({ csrf: token });
    const own = { Cookie: `sluice-operator=${cookie}`, ...headers };
    return (
      await fetch(`${api.url}/admin/jobs/mail/pause`, {
        method: 'POST',
        redirect: 'manual',
        headers: own,
        body,
      })
    ).status;
  };

  expect(await send({ 'Sec-Fetch-Site': 'same-origin' }, '')).toBe(403);
  expect(await send({ 'Sec-Fetch-Site': 'same-origin' }, 'A'.repeat(43))).toBe(403);
  expect(await send({ 'Sec-Fetch-Site': 'cross-site' }, csrf)).toBe(403);
  expect(await send({ Origin: 'https://evil.example' }, csrf)).toBe(403);
  expect(await send({}, csrf)).toBe(403);
  expect(await send({ 'Sec-Fetch-Site': 'same-origin' }, csrf)).toBe(303);
});
