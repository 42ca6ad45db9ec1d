/** This file owns `sluice dataset`: an operator's word about data that Redis came back without, straight in Redis, so that it works when no key does. */
import { acknowledge } from '@sluice/system';
import { type Command, Option } from 'commander';
import { readConfig } from '../config.ts';
import { withRedis } from '../redis.ts';
import type { Terminal } from '../terminal.ts';

const WATCHED_ROLES = ['queue', 'session'] as const;

interface AcknowledgeOptions {
  role: (typeof WATCHED_ROLES)[number];
  json?: true;
  dataDir?: string;
}

export function addDatasetCommand(program: Command, terminal: Terminal): void {
  const dataset = program.command('dataset').description('the data in Redis: go on after a loss');
  dataset
    .command('acknowledge')
    .description('go on with the data there is; ends data_loss_suspected everywhere within two seconds')
    .addOption(
      new Option('--role <role>', 'whose Redis lost its data').choices(WATCHED_ROLES).default('queue'),
    )
    .option('--json', 'print JSON')
    .option('--data-dir <path>', 'where our own Redis lives; default SLUICE_DATA_DIR, else .sluice')
    .action((options: AcknowledgeOptions) => acknowledgeDataset(options, terminal));
}

async function acknowledgeDataset({ role, json, dataDir }: AcknowledgeOptions, terminal: Terminal) {
  const config = readConfig(terminal.variables, { dataDir });
  const done = await withRedis(config, ({ client, keys }) => acknowledge(client, keys, role), role);
  const sentence = `The data in the Redis of role ${role} is what there is; running servers go on with it.`;
  terminal.out(`${json ? JSON.stringify({ role, ...done }) : sentence}\n`);
}
