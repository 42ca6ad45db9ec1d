import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, type TestContext, test } from 'vitest';
import { launch } from './sluice.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
/** Packages come over the network, and two cores compile everything. */
const FIRST_START_MS = 240_000;
const ADDRESS = /^http:\/\/localhost:\d+$/m;

test('npm start brings a fresh clone up, and the second time goes straight there', {
  timeout: 2 * FIRST_START_MS,
}, async (t) => {
  const { npmStart } = await setup(t);
  const first = npmStart();
  const url = await first.find(ADDRESS, FIRST_START_MS);
  const key = await first.find(/^API key: (\S+)$/m);
  const stored = await call(url, key, '/api/v2/redis', { resource: [{ key: 'kept', value: [1, 2] }] });
  first.pressCtrlC();

  expect(await first.result).toMatchObject({ status: 0 });
  expect(stored.status).toBe(201);
  expect(first.output()).toMatch(/^• Installing packages \(npm ci\)$[\s\S]*^• Building$/m);
  await first.expectNothingLeft();

  const second = npmStart();
  const answer = await call(await second.find(ADDRESS, 60_000), key, '/api/v2/redis/kept');
  second.pressCtrlC();

  expect(await answer.json()).toEqual({ key: 'kept', value: [1, 2] });
  expect(await second.result).toMatchObject({ status: 0 });
  expect(second.output()).not.toMatch(/Installing|API key:/);
  await second.expectNothingLeft();
});

/** A copy of what a clone would hold, uncommitted changes included: no node_modules, nothing built. */
async function setup(t: TestContext) {
  const clone = await mkdtemp(join(tmpdir(), 'sluice-clone-'));
  t.onTestFinished(() => rm(clone, { recursive: true, force: true, maxRetries: 5 }));
  const { stdout } = await promisify(execFile)(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: ROOT,
      maxBuffer: 16_777_216,
    },
  );
  for (const file of stdout.split('\0').filter((name) => name !== '')) {
    await cp(join(ROOT, file), join(clone, file)).catch((error: NodeJS.ErrnoException) => {
      // Removed, and the removal not committed yet.
      if (error.code !== 'ENOENT') throw error;
    });
  }
  const variables = { PORT: '0', CI: 'true', SLUICE_DATA_DIR: join(clone, '.sluice'), CACHE_DRIVER: 'redis' };
  return { npmStart: () => launch(t, { command: 'npm', args: ['start'], variables, cwd: clone }) };
}

function call(url: string, key: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${url}${path}`, {
    headers: { 'X-DreamFactory-API-Key': key, 'Content-Type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
}
