import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { KEY, OwnRedis, startProduct } from './product.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const README = resolve(ROOT, 'README.md');
const run = promisify(execFile);

/** The commands of the tour's blocks, in order; a backslash continues a line. */
async function tour(): Promise<string[]> {
  const text = await readFile(README, 'utf8');
  const blocks = [...text.matchAll(/^```sh tour\n([\s\S]*?)^```/gm)].map(([, block]) => block as string);
  return blocks.flatMap((block) => block.split('\n\n')).map((command) => command.trim());
}

/** Names that the code reads from the environment, as they are written there. */
async function variablesRead(): Promise<string[]> {
  const files = [
    'apps/api/src/config.ts',
    'apps/worker/src/config.ts',
    'apps/cli/src/config.ts',
    'packages/config/src/roles.ts',
  ];
  const texts = await Promise.all(files.map((file) => readFile(resolve(ROOT, file), 'utf8')));
  const reads = texts.flatMap((text) =>
    [...text.matchAll(/env\.\w+\(\s*(\[[^\]]*\]|'\w+')/g)].map(([, names]) => names as string),
  );
  return [
    ...new Set(
      reads.flatMap((names) => [...names.matchAll(/'([A-Z][A-Z_]+)'/g)].map(([, name]) => name as string)),
    ),
  ].sort();
}

describe('README', () => {
  it('names every variable the code reads', async () => {
    const text = await readFile(README, 'utf8');

    const variables = await variablesRead();

    expect(variables.length).toBeGreaterThan(20);
    expect(variables.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it('has a tour in which every command works as it stands', { timeout: 90_000 }, async (t) => {
    const redis = await OwnRedis.start(t);
    const product = await startProduct(t, redis.url);
    const commands = await tour();

    const answers: unknown[] = [];
    for (const command of commands) {
      const env = { ...process.env, SLUICE: product.url, KEY };
      const { stdout } = await run('bash', ['-c', command.replace(/^curl /, 'curl -sS ')], { env });
      answers.push(JSON.parse(stdout));
    }

    expect(answers).toEqual([
      { resource: [{ key: 'user:123:profile', success: true }] },
      { key: 'user:123:profile', value: { name: 'John Doe' } },
      { key: 'user:123:profile', exists: true },
      { key: 'user:123:profile', success: true },
      expect.objectContaining({ id: expect.stringMatching(/^j_/), state: expect.any(String) }),
      expect.objectContaining({ name: 'demo', is_paused: false }),
    ]);
  });
});
