import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort, TEST_REDIS_URL, testRedis } from '@sluice/redis/testing';
import { expect, type TestContext, test, vi } from 'vitest';
import { build } from '../../../test/e2e/product.ts';
import { dataDirectory, type Started, start } from './sluice.ts';

vi.setConfig({ testTimeout: 60_000 });

test('starts everything, tells where and with which key, and stops on Ctrl-C with nothing left', async (t) => {
  const { up } = await setup(t);
  const sluice = up();
  const { url, key } = await opened(sluice);

  const listed = await call(url, key, '/api/v2/redis');
  const stranger = await call(url, 'wrong', '/api/v2/redis');
  const health = await sluice.find(/worker {2}(\S+)/);
  // It is told before the worker has taken up its queues.
  await expect.poll(async () => (await fetch(health)).status, { timeout: 10_000 }).toBe(200);
  sluice.pressCtrlC();
  const { status, stderr } = await sluice.result;

  expect([listed.status, stranger.status]).toEqual([200, 401]);
  expect(sluice.output()).toMatch(/^http:\/\/localhost:\d+\nAPI key: sk_\w+\n/m);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  await sluice.expectNothingLeft();
});

test('keeps values and keys between starts, and prints the first key once', async (t) => {
  const { up } = await setup(t);
  const first = up();
  const { url, key } = await opened(first);
  await store(url, key, 'kept', { a: 1 });
  first.signal('SIGTERM');
  await first.result;

  const second = up();
  const address = await second.find(/^http:\/\/localhost:\d+$/m);

  expect(await read(address, key, 'kept')).toEqual({ key: 'kept', value: { a: 1 } });
  expect(second.output()).not.toContain('API key:');
});

test('takes the first key from the environment and prints none', async (t) => {
  const { up } = await setup(t);
  const sluice = up({ SLUICE_API_KEY: 'a-key-of-our-own-choice' });
  const url = await sluice.find(/^http:\/\/localhost:\d+$/m);

  await vi.waitFor(async () =>
    expect((await call(url, 'a-key-of-our-own-choice', '/api/v2/redis')).status).toBe(200),
  );

  expect(sluice.output()).not.toContain('API key:');
  expect(sluice.output()).not.toContain('a-key-of-our-own-choice');
});

test('says what to do when the port is taken, and starts nothing', async (t) => {
  const { up, directory } = await setup(t);
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  t.onTestFinished(() => void squatter.close());
  const { port } = squatter.address() as { port: number };

  const { status, stdout, stderr } = await up({ PORT: String(port) }).result;

  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(new RegExp(`^Port ${port} is taken: .* PORT=${port + 1} npm start`));
  expect(await readdir(directory)).toEqual([]);
});

test('says that it is running already, in the same folder', async (t) => {
  const { up } = await setup(t);
  const first = up();
  const { url } = await opened(first);

  const samePort = await up({ PORT: new URL(url).port }).result;
  const otherPort = await up({ PORT: '0' }).result;

  expect(samePort).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^Sluice is running already, with its data in /),
  });
  expect(otherPort).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`belongs to process ${first.pid}`),
  });
});

test('obeys keys made and revoked beside it', async (t) => {
  const { up, variables } = await setup(t);
  const { url } = await opened(up());
  const keys = async (...args: string[]) =>
    (await start(t, ['keys', ...args, '--json'], variables).result).stdout;

  const made = JSON.parse(await keys('create', '--label', 'a', '--scope', '*')) as {
    id: string;
    key: string;
  };

  const status = async () => (await call(url, made.key, '/api/v2/redis')).status;
  await expect.poll(status, { timeout: 5_000 }).toBe(200);
  await keys('revoke', made.id);
  await expect.poll(status, { timeout: 5_000 }).toBe(401);
});

test('uses the Redis that the environment names, and starts none', async (t) => {
  const { up, directory } = await setup(t);
  const { prefix, allKeys } = await testRedis(t);
  const sluice = up({ REDIS_URL: process.env[TEST_REDIS_URL], REDIS_PREFIX: prefix });
  const { url, key } = await opened(sluice);

  await store(url, key, 'there', 1);

  expect(await allKeys()).toContain(`${prefix}:cache:redis:there`);
  expect(await sluice.processes('redis-server 127')).toEqual([]);
  expect(await readdir(directory)).not.toContain('redis');
});

test('without any Redis imitates one, says loudly what that is worth, and works', async (t) => {
  const { up } = await setup(t);
  const sluice = up({ PATH: '/nowhere' });
  const { url, key } = await opened(sluice);

  await store(url, key, 'a', 'b');

  expect(await read(url, key, 'a')).toEqual({ key: 'a', value: 'b' });
  expect(sluice.output()).toMatch(/^! NO REDIS FOUND\. .* ALL DATA ARE LOST /m);
  sluice.signal('SIGINT');
  expect((await sluice.result).status).toBe(0);
  await sluice.expectNothingLeft();
});

test('runs a job, and lets a running one finish on Ctrl-C before Redis goes', async (t) => {
  const { up } = await setup(t);
  const sluice = up();
  const { url, key } = await opened(sluice);
  const id = await enqueue(url, key, { delay: 2_000 });
  await untilActive(url, key, id);

  sluice.pressCtrlC();
  const { status } = await sluice.result;
  const again = up();
  const job = await jobOf(await again.find(/^http:\/\/localhost:\d+$/m), key, id);

  expect(status).toBe(0);
  expect(sluice.output()).not.toMatch(/ended with|signal=SIGINT/);
  expect(job).toMatchObject({ state: 'completed', result: { delay: 2_000 } });
});

test('counts the two signals of one Ctrl-C under npm as one, and ends at once on a second Ctrl-C', async (t) => {
  const { up } = await setup(t);
  const sluice = up();
  const { url, key } = await opened(sluice);
  await untilActive(url, key, await enqueue(url, key, { delay: 60_000 }));

  sluice.pressCtrlC();
  sluice.signal('SIGTERM'); // Another one, since the system makes one of two equal ones.
  await sluice.find(/stopping {2}signal=SIGTERM/);
  await wait(600); // Two presses of a person's hand.
  expect((await sluice.processes('dist/main.js')).length).toBeGreaterThan(1);
  const askedAt = performance.now();
  sluice.signal('SIGINT');
  const { status } = await sluice.result;

  expect(status).toBe(1);
  expect(performance.now() - askedAt).toBeLessThan(1_000);
  await vi.waitFor(() => sluice.expectNothingLeft(), 5_000);
});

test.for(['api/dist/main', 'worker/dist/main', 'redis-server 127'])(
  'starts %s again when it dies, and says so',
  async (part, t) => {
    const { up } = await setup(t);
    const sluice = up();
    const { url, key } = await opened(sluice);
    await store(url, key, 'kept', 1);
    const [pid] = (await sluice.processes(part)) as [number];

    process.kill(pid, 'SIGKILL');

    await sluice.find(/^! (?:api|worker|redis) ended with signal SIGKILL; started again in 0\.5 s$/m);
    await vi.waitFor(async () => {
      const [next] = await sluice.processes(part);
      expect(next, sluice.output()).toSatisfy((found) => found !== undefined && found !== pid);
      expect(await read(url, key, 'kept')).toEqual({ key: 'kept', value: 1 });
      expect(await jobOf(url, key, await enqueue(url, key, {}))).toMatchObject({ state: 'completed' });
    }, 20_000);
    sluice.signal('SIGTERM');
    expect((await sluice.result).status).toBe(0);
    await sluice.expectNothingLeft();
  },
);

test('killed outright, takes the API and the worker along; the next start ends the Redis that is left', async (t) => {
  const { up } = await setup(t);
  const first = up();
  const { url, key } = await opened(first);
  await store(url, key, 'kept', 1);

  first.signal('SIGKILL');

  await vi.waitFor(async () => expect(await first.processes('dist/main.js')).toEqual([]), 20_000);
  const [left] = await first.processes('redis-server 127');
  const second = up();
  const address = await second.find(/^http:\/\/localhost:\d+$/m);
  expect(await read(address, key, 'kept')).toEqual({ key: 'kept', value: 1 });
  expect(second.output()).toContain(`• ending process ${left}, left over from an earlier start`);
  expect(await first.processes('redis-server 127')).not.toContain(left);
});

test('gives up, with the words of the part, when one does not even start', async (t) => {
  const { up } = await setup(t);
  const sluice = up({ WORKER_PROCESSORS: '/nowhere' });

  const { status, stderr } = await sluice.result;

  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^The worker did not start: it ended with status 1\.\nThe jobs in \/nowhere \(WORKER_PROCESSORS\) cannot be loaded:/,
  );
  await sluice.expectNothingLeft();
});

test('with --json leaves the logs as they are on standard output, and its own words to standard error', async (t) => {
  const { up } = await setup(t);
  const sluice = up({}, ['--json']);
  await sluice.find(/worker started/);
  await sluice.find(/^API key: /m);
  sluice.signal('SIGTERM');

  const { stdout, stderr } = await sluice.result;

  const lines = stdout.trim().split('\n');
  const records = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  expect(lines.filter((line) => !line.startsWith('{')).sort()).toEqual([
    expect.stringMatching(/^API key: sk_/),
    expect.stringMatching(/^http:\/\/localhost:/),
  ]);
  expect(new Set(records.map(({ name }) => name))).toEqual(new Set(['api', 'worker']));
  expect(stderr).toMatch(/^• starting redis-server on .*\n• stopping: .*\n• stopped\n$/);
});

async function setup(t: TestContext) {
  await build();
  const directory = await dataDirectory(t);
  const variables = { SLUICE_DATA_DIR: directory, PORT: String(await freePort()), CACHE_DRIVER: 'redis' };
  return {
    directory,
    variables,
    up: (more: NodeJS.ProcessEnv = {}, args: string[] = []) =>
      start(t, ['up', ...args], { ...variables, ...more }),
  };
}

/** The address and the first key, as a person reads them. */
async function opened(sluice: Started): Promise<{ url: string; key: string }> {
  const url = await sluice.find(/^http:\/\/localhost:\d+$/m);
  return { url, key: await sluice.find(/^API key: (\S+)$/m) };
}

function call(url: string, key: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${url}${path}`, {
    headers: { 'X-DreamFactory-API-Key': key, 'Content-Type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
}

async function store(url: string, key: string, name: string, value: unknown): Promise<void> {
  const answer = await call(url, key, '/api/v2/redis', { resource: [{ key: name, value }] });
  expect(answer.status).toBe(201);
}

async function read(url: string, key: string, name: string): Promise<unknown> {
  return await (await call(url, key, `/api/v2/redis/${name}`)).json();
}

async function enqueue(url: string, key: string, data: unknown): Promise<string> {
  const answer = await call(url, key, '/api/v2/queues/mail/jobs', { name: 'example.echo', data });
  const { id } = (await answer.json()) as { id: string };
  expect(answer.status).toBe(201);
  return id;
}

async function untilActive(url: string, key: string, id: string): Promise<void> {
  await expect
    .poll(async () => (await call(url, key, `/api/v2/queues/mail/jobs/${id}`)).json(), { timeout: 10_000 })
    .toMatchObject({ state: 'active' });
}

/** The job, once it has ended. */
async function jobOf(url: string, key: string, id: string): Promise<unknown> {
  await call(url, key, `/api/v2/queues/mail/jobs/${id}/result?wait=10`);
  return await (await call(url, key, `/api/v2/queues/mail/jobs/${id}`)).json();
}
