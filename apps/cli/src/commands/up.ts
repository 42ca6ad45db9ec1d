/** This file owns `sluice up`: Redis when nobody names one, the API and a worker, in one terminal, until Ctrl-C. */
import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { CommandFailure } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { runStack } from '../up/stack.ts';

interface UpOptions {
  port?: string;
  host?: string;
  dataDir?: string;
  json?: true;
}

const HELP = `
Redis is the one the environment names (REDIS_URL, REDIS_HOST, REDIS_SENTINEL_HOST, REDIS_CLUSTER_NODES, …). When it
names none, redis-server or valkey-server runs under the data directory; when neither is installed, an imitation runs
in this process, which is slow and forgets everything.

A part that ends by itself is told, with its last lines, and started again after 0.5 s, 1 s, 2 s, 4 s. After the fifth
end within a minute everything stops, with status 1. Ctrl-C or SIGTERM: the API and the worker finish what runs
(SHUTDOWN_DEADLINE_SECONDS, 25), Redis is stopped last, status 0. A second Ctrl-C ends everything at once, with status 1.`;

export function addUpCommand(program: Command, terminal: Terminal): void {
  program
    .command('up')
    .description('run the API, a worker and, when nobody names one, Redis')
    .option('--port <number>', 'of the API, 0 for any free one; default PORT, else 8080')
    .option('--host <address>', 'to listen at; default HOST, else 127.0.0.1, which is this machine alone')
    .option('--data-dir <path>', 'where everything is kept; default SLUICE_DATA_DIR, else .sluice')
    .option(
      '--json',
      "the apps' logs as they are (JSON lines) on standard output, our own words on standard error",
    )
    .addHelpText('after', HELP)
    .action((options: UpOptions) => up(options, terminal));
}

async function up(options: UpOptions, terminal: Terminal): Promise<void> {
  const config = readConfig(terminal.variables, options);
  const unclean = await runStack({ config, terminal, isJson: options.json === true });
  if (unclean.length > 0) throw new CommandFailure(`Not stopped cleanly: ${unclean.join(', ')}.`);
}
