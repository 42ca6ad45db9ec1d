import { Secret } from '@sluice/config';
import { untilReady } from '@sluice/redis';
import { publishedLines, refusalsOf, type TestServer, testServer } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';
import { product } from '../../apps/worker/test/worker-process.ts';
import { fuzz } from './fuzz.ts';

const PUBLISHED = ['rename-command FLUSHDB ""', 'rename-command FLUSHALL ""', 'rename-command DEBUG ""'];
const ROLES = ['cache', 'queue', 'session', 'limit', 'channel'] as const;
const ADMIN = 'user harness on >admin ~* &* +@all';
const SEED = 7;
/** Asked of a queue that wants its jobs on disk; a user who may not is told that it cannot be proven. */
const FOR_DURABILITY = ' config|get ';

/** What Redis has refused to anybody: user, reason, and the command or key. */
async function refusedBy(server: TestServer): Promise<string[]> {
  const admin = server.connect('worker');
  await untilReady(admin, 5_000);
  return refusalsOf(await admin.call('ACL', 'LOG', '128'));
}

/** Signs in, and answers how the console, a page of its and the board answer. */
async function consoleOf(url: string, key: string): Promise<number[]> {
  const entered = await fetch(`${url}/admin/login`, {
    method: 'POST',
    headers: { 'Sec-Fetch-Site': 'same-origin' },
    body: new URLSearchParams({ key }),
    redirect: 'manual',
  });
  const headers = { Cookie: entered.headers.get('set-cookie')?.split(';', 1)[0] ?? '' };
  const paths = ['/admin', '/admin/accounts', '/admin/queues/api/queues'];
  return await Promise.all(paths.map(async (path) => (await fetch(url + path, { headers })).status));
}

it('runs as a user for each role, made by the lines of the page, and is refused nothing', async (t) => {
  const prefix = 'least';
  const { renames, users } = publishedLines(prefix, 'copied');
  const server = await testServer(t, {
    settings: ['save ""', ...renames, ...users, ADMIN],
    config: { username: 'harness', password: new Secret('admin') },
  });
  const urlOf = (role: string) => `redis://sluice-${role}:copied@127.0.0.1:${server.port}/0`;
  const urls = ROLES.map((role) => [`${role.toUpperCase()}_URL`, urlOf(role)]);
  const variables = {
    ...(Object.fromEntries(urls) as Record<string, string>),
    REDIS_URL: urlOf('queue'),
    REDIS_PREFIX: prefix,
    SLUICE_SECRET: 'one secret of the whole installation',
  };
  const api = await startApi(t, variables);

  const { faults, routes } = await fuzz({ url: api.url, key: api.key, seed: SEED, requests: 1_000 });
  const shown = await consoleOf(api.url, api.key);
  const { worker } = await product(t);
  await worker(variables);
  const path = '/api/v2/queues/worked/jobs?wait=20';
  const worked = await api.call(path, { method: 'POST', json: { name: 'nobody-knows-it', data: 1 } });
  const refused = await refusedBy(server);

  expect(refused.filter((each) => !each.includes(FOR_DURABILITY))).toEqual([]);
  expect(await worked.json()).toMatchObject({ state: 'failed' });
  expect(shown).toEqual([200, 200, 200]);
  expect(faults).toEqual([]);
  expect(Object.values(routes).flatMap(({ statuses }) => Object.keys(statuses))).not.toContain('500');
  expect(renames).toEqual(PUBLISHED);
}, 120_000);
