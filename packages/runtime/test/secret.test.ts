import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, type TestContext, test } from 'vitest';
import { deriveSecret, loadMasterSecret } from '../src/index.ts';

const run = promisify(execFile);
const GIVEN = 'g'.repeat(32);

async function setup(t: TestContext) {
  const parent = await mkdtemp(join(tmpdir(), 'sluice-secret-'));
  t.onTestFinished(() => rm(parent, { recursive: true }));
  return { directory: join(parent, 'data', 'deeper') };
}

describe('the master secret', () => {
  test('is the one given, and no file is made', async (t) => {
    const { directory } = await setup(t);

    expect(await loadMasterSecret({ value: GIVEN, directory })).toEqual(Buffer.from(GIVEN));

    await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('that is given too short is refused', async (t) => {
    const { directory } = await setup(t);

    await expect(loadMasterSecret({ value: 'short', directory })).rejects.toThrow(
      new TypeError('the master secret has 5 characters, wanted at least 32'),
    );
  });

  test('is made at the first start and found at the next', async (t) => {
    const { directory } = await setup(t);

    const first = await loadMasterSecret({ directory });

    expect(first.toString()).toMatch(/^[0-9a-f]{64}$/);
    expect(await loadMasterSecret({ directory })).toEqual(first);
    expect((await stat(join(directory, 'secret'))).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(await readdir(directory)).toEqual(['secret']);
  });

  test('is one for all who start together', async (t) => {
    const { directory } = await setup(t);

    const all = await Promise.all(Array.from({ length: 50 }, () => loadMasterSecret({ directory })));

    expect(new Set(all.map(String)).size).toBe(1);
    expect(await readdir(directory)).toEqual(['secret']);
  });

  test('is one for processes that start together', async (t) => {
    const { directory } = await setup(t);
    const source = new URL('../src/secret.ts', import.meta.url).href;
    const program = `const { loadMasterSecret } = await import('${source}');
      console.log(String(await loadMasterSecret({ directory: '${directory}' })));`;

    const printed = await Promise.all(
      Array.from({ length: 4 }, () =>
        run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]),
      ),
    );

    expect(new Set(printed.map(({ stdout }) => stdout.trim()))).toEqual(
      new Set([(await readFile(join(directory, 'secret'), 'utf8')).trim()]),
    );
  });

  test.each(['', 'short', '\n'])(
    'is not taken from a file that holds %j, and not made anew over it',
    async (content) => {
      const directory = await mkdtemp(join(tmpdir(), 'sluice-secret-'));
      await writeFile(join(directory, 'secret'), content);

      await expect(loadMasterSecret({ directory })).rejects.toThrow(/which is no master secret/);

      expect(await readFile(join(directory, 'secret'), 'utf8')).toBe(content);
      await rm(directory, { recursive: true });
    },
  );

  test('that cannot be written is told', async (t) => {
    const { directory } = await setup(t);
    await loadMasterSecret({ directory });

    await expect(loadMasterSecret({ directory: join(directory, 'secret') })).rejects.toMatchObject({
      code: 'ENOTDIR',
    });
  });
});

describe('a derived secret', () => {
  const master = Buffer.from(GIVEN);

  test('is 32 bytes, the same for the same purpose', () => {
    expect(deriveSecret(master, 'api keys')).toHaveLength(32);
    expect(deriveSecret(master, 'api keys')).toEqual(deriveSecret(master, 'api keys'));
  });

  test('is another for another purpose and another master', () => {
    const all = [
      deriveSecret(master, 'a'),
      deriveSecret(master, 'b'),
      deriveSecret(Buffer.from('h'.repeat(32)), 'a'),
      deriveSecret(master, ''),
    ];

    expect(new Set(all.map(String)).size).toBe(4);
  });

  test('stays what it was: keys and leases made with it outlive an upgrade', () => {
    expect(deriveSecret(master, 'api keys').toString('hex')).toBe(
      '6fff9d9ff5ec25cc2f57f3246256be02df30b999be87dfc0a033201fe883ddb0',
    );
  });
});
