/** This file owns the list of commands, each a file of `commands/`, and the exit status they come to. */
import { Command, CommanderError } from 'commander';
import { addAccountsCommand } from './commands/accounts.ts';
import { addAlertsCommand } from './commands/alerts.ts';
import { addCacheCommand } from './commands/cache.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addDatasetCommand } from './commands/dataset.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addEnqueueCommand } from './commands/enqueue.ts';
import { addJobsCommand } from './commands/jobs.ts';
import { addKeysCommand } from './commands/keys.ts';
import { addLimitsCommand } from './commands/limits.ts';
import { addQueuesCommand } from './commands/queues.ts';
import { addServicesCommand } from './commands/services.ts';
import { addUpCommand } from './commands/up.ts';
import { EXIT_STATUS, sentenceOf, statusOf } from './failure.ts';
import type { Terminal } from './terminal.ts';

export const VERSION = '0.1.0';

/** Runs one command to its end and answers the exit status; never rejects. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  let status: number = EXIT_STATUS.done;
  const finish = (told: number) => {
    status = told;
  };
  try {
    await createProgram(terminal, finish).parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    // commander has shown its own message; help and version come this way as well, with status 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_STATUS.done : EXIT_STATUS.misused;
    terminal.err(`${sentenceOf(error)}\n`);
    return statusOf(error);
  }
}

/** `finish`: for a command whose outcome is more than done or not done. */
export function createProgram(terminal: Terminal, finish: (status: number) => void): Command {
  const program = new Command('sluice')
    .description('Background jobs, shared caches, rate limits and sessions over HTTP, on Redis.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help to see what there is)');
  addUpCommand(program, terminal);
  addKeysCommand(program, terminal);
  addAccountsCommand(program, terminal);
  addDoctorCommand(program, terminal, finish);
  addDatasetCommand(program, terminal);
  addEnqueueCommand(program, terminal);
  addJobsCommand(program, terminal);
  addQueuesCommand(program, terminal);
  addCacheCommand(program, terminal);
  addLimitsCommand(program, terminal);
  addAlertsCommand(program, terminal);
  addServicesCommand(program, terminal);
  addCompletionCommand(program, terminal);
  return program;
}
