/** This file owns the list of commands; each is a file of `commands/`. */
import { Command } from 'commander';
import { addKeysCommand } from './commands/keys.ts';
import { addUpCommand } from './commands/up.ts';

export const VERSION = '0.1.0';

export function createProgram(): Command {
  const program = new Command('sluice')
    .description('Background jobs, shared caches, rate limits and sessions over HTTP, on Redis.')
    .version(VERSION)
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help to see what there is)');
  addUpCommand(program);
  addKeysCommand(program);
  return program;
}
