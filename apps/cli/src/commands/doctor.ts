/** This file owns `sluice doctor`: reads a live set-up and says what is wrong, why, and what mends it. */
import { ConfigError, ROLES, type Role } from '@sluice/config';
import { findEmbeddedRedis } from '@sluice/redis/embedded';
import { type Command, Option } from 'commander';
import { type DoctorConfig, readDoctorConfig } from '../config.ts';
import { printed } from '../doctor/print.ts';
import { diagnose, faultyConfig, type Report } from '../doctor/report.ts';
import type { Terminal } from '../terminal.ts';

interface DoctorOptions {
  json?: true;
  role?: Role;
  dataDir?: string;
}

const HELP = `
Looks at every Redis that the environment and the services file name, as the API and the worker would use it: whether
one gets there, security, memory, persistence, high availability, connections, what our user may do. It writes a few
keys of its own and removes them, changes nothing else, and takes at most ten seconds.

Severities: error, warning, unknown (what would tell was refused or not answered), info, ok.
Status 0: neither errors nor warnings. 1: warnings, or something unknown. 2: errors.

Where the environment names no Redis it is the one that \`sluice up\` runs, else localhost:6379.
docs/doctor.md lists the checks, and an ACL for a user who may do what is needed and no more.`;

/** `finish` is told the exit status. */
export function addDoctorCommand(
  program: Command,
  terminal: Terminal,
  finish: (status: number) => void,
): void {
  program
    .command('doctor')
    .description('examine the Redis of every role: what is wrong, why, and the fix')
    .option('--json', 'print JSON')
    .addOption(new Option('--role <role>', 'one role alone').choices([...ROLES]))
    .option('--data-dir <path>', 'where our own Redis lives; default SLUICE_DATA_DIR, else .sluice')
    .addHelpText('after', HELP)
    .action(async (options: DoctorOptions) => finish(await doctor(options, terminal)));
}

async function doctor({ json, role, dataDir }: DoctorOptions, terminal: Terminal): Promise<number> {
  const report = await reportFor(terminal, dataDir, role);
  const isColoured = terminal.isTty === true && !terminal.variables.NO_COLOR;
  const lines = json ? [JSON.stringify(report)] : printed(report, { isColoured });
  terminal.out(`${lines.join('\n')}\n`);
  return report.status;
}

async function reportFor(
  terminal: Terminal,
  dataDir: string | undefined,
  role: Role | undefined,
): Promise<Report> {
  let config: DoctorConfig;
  try {
    config = await readSetUp(terminal, dataDir);
  } catch (error) {
    if (error instanceof ConfigError) return faultyConfig(error.faults);
    throw error;
  }
  return await diagnose(config, role);
}

async function readSetUp({ variables }: Terminal, dataDir: string | undefined): Promise<DoctorConfig> {
  const config = readDoctorConfig(variables, { dataDir });
  if (config.isRedisNamed) return config;
  const running = await findEmbeddedRedis(config.redisDirectory);
  if (!running) return config;
  // As `sluice up` tells the API and the worker.
  const own = readDoctorConfig({ ...variables, REDIS_URL: running.url }, { dataDir });
  return { ...own, isRedisNamed: false, ownRedis: running.kind };
}
