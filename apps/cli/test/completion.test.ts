import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { run } from './running-sluice.ts';

const execute = promisify(execFile);

/** What bash offers for the last of the words. */
async function offered(...words: string[]): Promise<string[]> {
  const { stdout: script } = await run(['completion', 'bash']);
  const line = words.map((word) => `'${word}'`).join(' ');
  const { stdout } = await execute('bash', [
    '--noprofile',
    '--norc',
    '-c',
    `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ]);
  return stdout.split('\n').filter((word) => word !== '');
}

describe('bash completes', () => {
  test('commands', async () => {
    const all = await offered('sluice', '');

    expect(all).toEqual(
      expect.arrayContaining([
        'up',
        'keys',
        'enqueue',
        'jobs',
        'queues',
        'cache',
        'limits',
        'services',
        '--help',
      ]),
    );
    expect(await offered('sluice', 'q')).toEqual(['queues']);
  });

  test('commands of a command', async () => {
    expect(await offered('sluice', 'jobs', '')).toEqual(
      expect.arrayContaining(['list', 'show', 'follow', 'retry', 'cancel']),
    );
    expect(await offered('sluice', '--json', 'jobs', 're')).toEqual(['retry']);
  });

  test('options, and the values of those that have few', async () => {
    expect(await offered('sluice', 'queues', 'drain', 'mail', '--')).toEqual(
      expect.arrayContaining(['--delayed', '--yes', '--url', '--key', '--json', '--help']),
    );
    expect(await offered('sluice', 'jobs', 'list', 'mail', '--state', 'wait')).toEqual([
      'waiting',
      'waiting-children',
    ]);
    expect(await offered('sluice', 'completion', 'z')).toEqual(['zsh']);
  });
});

test.for(['zsh', 'fish'])('%s is told of every command', async (shell) => {
  const { status, stdout } = await run(['completion', shell]);

  expect(status).toBe(0);
  expect(stdout).toMatch(/'enqueue:enqueue a job|-a enqueue -d/);
  for (const word of ['jobs list', 'queues drain', 'cache set', 'services create', 'keys revoke'])
    expect(stdout).toContain(`'${word}'`);
});

/** Whether this shell is on the machine; the test's own bash always is. */
async function isInstalled(shell: string): Promise<boolean> {
  return await execute(shell, ['-c', 'true']).then(
    () => true,
    () => false,
  );
}

/** What fish itself offers; what zsh hands to its own `_describe`, without the descriptions. */
async function offeredBy(shell: 'fish' | 'zsh', ...words: string[]): Promise<string[]> {
  const { stdout: script } = await run(['completion', shell]);
  const quotedWords = words.map((word) => `'${word}'`).join(' ');
  const program =
    shell === 'fish'
      ? `${script}\ncomplete -C "${words.join(' ')}"`
      : `compdef() { :; }\n_describe() { print -l -- "\${list[@]}"; }\n${script}\nwords=(${quotedWords}); CURRENT=${words.length}; _sluice`;
  const { stdout } = await execute(shell, [shell === 'fish' ? '--no-config' : '-f', '-c', program]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(shell === 'fish' ? '\t' : ':')[0] as string);
}

test.for(['fish', 'zsh'] as const)(
  '%s completes commands, and the values of options, where it is installed',
  async (shell) => {
    if (!(await isInstalled(shell))) return;

    expect(await offeredBy(shell, 'sluice', '')).toEqual(expect.arrayContaining(['up', 'queues', 'limits']));
    expect(await offeredBy(shell, 'sluice', 'queues', '')).toEqual(
      expect.arrayContaining(['list', 'drain', 'export', 'import']),
    );
    expect(await offeredBy(shell, 'sluice', 'limits', '')).toEqual(
      expect.arrayContaining(['create', 'update', 'delete']),
    );
    expect(await offeredBy(shell, 'sluice', 'queues', 'export', 'mail', '--state', '')).toEqual(
      expect.arrayContaining(['waiting', 'prioritized', 'delayed', 'failed']),
    );
  },
);

test('there is no completion for other shells', async () => {
  expect(await run(['completion', 'tcsh'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('Allowed choices are bash, zsh, fish.'),
  });
});
