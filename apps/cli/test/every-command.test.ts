import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../src/program.ts';
import { run } from './running-sluice.ts';

const NOWHERE = 'http://127.0.0.1:1';
/** What a command does not go without. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  'keys create': ['--url', NOWHERE, '--label', 'x', '--scope', '*'],
  'keys list': ['--url', NOWHERE],
  'keys show': ['--url', NOWHERE],
  'keys update': ['--url', NOWHERE, '--suspend'],
  'keys rotate': ['--url', NOWHERE],
  'keys revoke': ['--url', NOWHERE],
  enqueue: ['welcome'],
  'queues import': ['--stdin'],
  'queues drain': ['--yes'],
  'limits update': ['--limit', '1'],
  'services update': ['--port', '1'],
  'services test': ['--port', '1'],
};
const silent = { variables: {}, out: () => undefined, err: () => undefined };

/** The words of every command that does something. */
function commands(
  of: Command = createProgram(silent, () => undefined),
  words: string[] = [],
): { words: string[]; command: Command }[] {
  if (of.commands.length === 0) return [{ words, command: of }];
  return of.commands.flatMap((command) => commands(command, [...words, command.name()]));
}

describe('every command', () => {
  test('prints JSON when it is asked to', () => {
    const without = commands()
      .filter(({ command }) => !command.options.some(({ long }) => long === '--json'))
      .map(({ words }) => words.join(' '));

    expect(commands().length).toBeGreaterThan(30);
    expect(without).toEqual(['completion']);
  });

  test('says what it does, and what each of its arguments and options is', () => {
    for (const { words, command } of commands()) {
      expect(command.description(), words.join(' ')).not.toBe('');
      for (const { description, long } of command.options)
        expect(description, `${words.join(' ')} ${long}`).not.toBe('');
      for (const argument of command.registeredArguments)
        expect(argument.description, `${words.join(' ')} ${argument.name()}`).not.toBe('');
    }
  });

  test('tells of an API that is not there in one line, as JSON when asked, with status 2', async () => {
    const variables = { SLUICE_URL: NOWHERE, SLUICE_API_KEY: 'a-key-that-is-long-enough' };
    const speaking = commands().filter(({ command }) => command.options.some(({ long }) => long === '--url'));

    for (const { words, command } of speaking) {
      const args = command.registeredArguments.filter(({ required }) => required).map(() => '1');
      const more = NEEDED[words.join(' ')] ?? [];
      const { status, stderr, stdout } = await run([...words, ...args, ...more, '--json'], {
        variables,
        input: ['{"name":"x"}\n'],
      });
      expect({ command: words.join(' '), status, stdout }).toEqual({
        command: words.join(' '),
        status: 2,
        stdout: '',
      });
      expect(JSON.parse(stderr), words.join(' ')).toMatchObject({ error: { reason: expect.any(String) } });
    }
  });
});
