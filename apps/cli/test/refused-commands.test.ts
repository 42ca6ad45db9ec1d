import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import { freePort } from '../../../test/e2e/product.ts';
import { run, runningSluice } from './running-sluice.ts';

vi.setConfig({ testTimeout: 30_000 });

const here = runningSluice();

describe('a command that cannot be done', () => {
  test('names the scope that the key lacks, and how to get one that has it', async () => {
    const made = await here.product.call('/system/key', {
      method: 'POST',
      json: { label: 'narrow', scopes: ['jobs:read'] },
    });
    const { key } = (await made.json()) as { key: string };

    const refused = await here.sluiceWith(
      { variables: { SLUICE_API_KEY: key } },
      ...['enqueue', 'mail', 'welcome'],
    );

    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(
      /^This key lacks the scope jobs:enqueue for 'mail'\.\n {2}\(403 forbidden, request \S+\)\n {2}Make a key that may: sluice keys create --label me --scope 'jobs:enqueue'\n$/,
    );
  });

  test('says that the key is unknown, and never the key', async () => {
    const refused = await here.sluiceWith(
      { variables: { SLUICE_API_KEY: 'sk_unknown_key_of_somebody' } },
      'queues',
    );

    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(
      /^This API key is unknown, revoked or expired\.\n {2}\(401 unauthenticated/,
    );
    expect(refused.stderr).not.toContain('sk_unknown');
  });

  test.for([{ key: undefined }, { key: '' }, { key: 'sk_a\nb' }, { key: 'sk_ключ' }])(
    'says with status 2 that $key is no key, and not what it is',
    async ({ key }) => {
      const refused = await here.sluiceWith({ variables: { SLUICE_API_KEY: key } }, 'queues');

      expect(refused).toMatchObject({ status: 2, stdout: '' });
      expect(refused.stderr).toContain('SLUICE_API_KEY or --key: got ');
      expect(refused.stderr).not.toMatch(/sk_a|ключ/);
    },
  );

  test.for([
    'localhost:8080',
    'http://user:secret@localhost:8080',
    'ftp://localhost',
    'http://h/?api_key=secret',
  ])('says with status 2 that %s is no address', async (url) => {
    const refused = await here.sluice('queues', '--url', url);

    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toContain('SLUICE_URL or --url: got another text, wanted the address of the API');
    expect(refused.stderr).not.toContain('secret');
  });

  test('says with status 2 that nobody answers, and how to start one', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const away = ['queues', '--url', url, '--key', 'k'];

    const people = await run(away);
    const programs = await run([...away, '--json']);

    expect(people).toEqual({
      status: 2,
      stdout: '',
      stderr:
        `No API answers at ${url}: nothing listens there.\n` +
        '  Start one with `npx sluice up`, or say where it is with SLUICE_URL or --url.\n',
    });
    expect(programs).toMatchObject({ status: 2, stdout: '' });
    expect(JSON.parse(programs.stderr)).toMatchObject({ error: { status: null, reason: 'unreachable' } });
  });

  test.for([
    { url: 'http://127.0.0.1:1', why: 'bad port' },
    { url: 'http://nowhere.invalid', why: 'there is no such host' },
  ])('says why nobody can be reached at $url', async ({ url, why }) => {
    const refused = await here.sluice('queues', '--url', url);

    expect(refused).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(`No API answers at ${url}: ${why}.`),
    });
  });

  test('says that what answers is not Sluice', async (t) => {
    const other = createServer((_, response) => void response.end('<html>')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };

    const refused = await here.sluice('queues', '--url', `http://127.0.0.1:${port}`);

    expect(refused).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(/^What answers at http:\/\/127\.0\.0\.1:\d+ \(200\) is not Sluice/),
    });
  });
});

test('every command that speaks to the API has help with its options', async () => {
  const helps = await Promise.all(
    [
      ['enqueue'],
      ['jobs', 'follow'],
      ['queues', 'drain'],
      ['cache', 'set'],
      ['limits', 'reset'],
      ['services', 'create'],
    ].map((path) => run([...path, '--help'])),
  );

  for (const { status, stdout, stderr } of helps) {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/--url <url>.*--key <key>.*--json/s);
  }
});

test('tells that the API runs and its Redis is away', async () => {
  await here.redis.kill();

  await expect
    .poll(() => here.sluice('queues'), { timeout: 10_000 })
    .toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^Redis is not reachable; nothing was done\. Try again\.\n {2}\(503 redis_unavailable, request \S+\)\n {2}The API runs, its Redis does not answer\./,
      ),
    });
  const cache = await here.sluice('cache', 'get', 'k');

  expect(cache).toMatchObject({ status: 1, stdout: '' });
  expect(cache.stderr).toMatch(
    /\(500 cache_unavailable, request \S+\)\n {2}The API runs, the Redis of this cache/,
  );
});
