import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { runningSluice } from './running-sluice.ts';
import { dataDirectory } from './sluice.ts';

vi.setConfig({ testTimeout: 90_000 });

const execute = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../../..');
const MAIN = resolve(ROOT, 'apps/cli/dist/main.js');

const here = runningSluice({ WORKER_QUEUES: 'demo' });

test('every command of the guide to the command line works as it stands', async (t) => {
  const text = await readFile(resolve(ROOT, 'docs/cli.md'), 'utf8');
  const blocks = [...text.matchAll(/^```sh cli\n([\s\S]*?)^```/gm)].map(([, block]) => block);
  const script = ['set -euo pipefail', `sluice() { "${process.execPath}" "${MAIN}" "$@"; }`, ...blocks].join(
    '\n',
  );

  const { stdout, stderr } = await execute('bash', ['--noprofile', '--norc', '-c', script], {
    cwd: await dataDirectory(t),
    env: { PATH: process.env.PATH, ...here.variables, REDIS_PORT: String(here.openRedis.port) },
  });

  expect(blocks.length).toBeGreaterThan(5);
  expect(stderr).toBe('');
  expect(stdout).toContain('Queue mail is paused; 5 jobs wait in it.\n');
  expect(stdout).toContain('{"hello":"world"}\n');
});
