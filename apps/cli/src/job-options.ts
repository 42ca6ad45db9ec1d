/** This file owns how a job is to be run, as options of the command line: each one of `jobOptionsSchema`, and `--opts` for all. */
import { BACKOFF_TYPES, DEDUPLICATION_MODES, type JobOptions } from '@sluice/jobs/schemas';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { misused, readJsonArgument } from './argument.ts';
import { duration, instantArgument, wholeNumber } from './quantity.ts';
import type { Terminal } from './terminal.ts';

export interface JobFlags {
  opts?: string;
  delay?: number;
  runAt?: string;
  priority?: number;
  group?: string;
  lifo?: true;
  attempts?: number;
  backoff?: NonNullable<JobOptions['backoff']>;
  timeout?: number;
  ttl?: number;
  expiresAt?: string;
  dedupe?: string;
  dedupeTtl?: number;
  dedupeMode?: (typeof DEDUPLICATION_MODES)[number];
  retainAge?: number;
  retainCount?: number;
}

const MAX_INTEGER = 999_999_999_999_999;

/** The server judges the values; here they only have to be what they are called. */
export function takesJobOptions(command: Command): Command {
  return command
    .option('--delay <time>', 'begin no sooner than after it: 30s, 2h', duration)
    .option('--run-at <instant>', 'begin no sooner than then, ISO 8601', instantArgument)
    .option('--priority <number>', '0 goes first, then 1, 2, …', wholeNumber(0, MAX_INTEGER))
    .option('--group <name>', 'whose job it is: groups that wait take turns')
    .option('--lifo', 'before the jobs that wait already')
    .option('--attempts <count>', 'runs in all; default 1', wholeNumber(1, MAX_INTEGER))
    .option(
      '--backoff <type:time>',
      `between attempts: exponential:5s, fixed:1m, exponential:5s:0.5`,
      backoff,
    )
    .option('--timeout <time>', 'of each attempt', duration)
    .option('--ttl <time>', 'not begun within it, it expires', duration)
    .option('--expires-at <instant>', 'not begun until then, it expires', instantArgument)
    .option('--dedupe <id>', 'a second job of this id is dropped while the first lives')
    .option('--dedupe-ttl <time>', '… or for so long', duration)
    .addOption(new Option('--dedupe-mode <mode>', 'how').choices(DEDUPLICATION_MODES))
    .option('--retain-age <time>', 'keep it so long once it has ended', duration)
    .option('--retain-count <count>', 'keep so many that have ended', wholeNumber(0, MAX_INTEGER))
    .option(
      '--opts <json>',
      'all of these as the API has them: JSON, @file or -; other options stand before it',
    );
}

/** `undefined` when nothing is said. */
export async function jobOptions(flags: JobFlags, terminal: Terminal): Promise<JobOptions | undefined> {
  const given: unknown =
    flags.opts === undefined ? {} : (await readJsonArgument('--opts', flags.opts, terminal)).toJSON();
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw misused('--opts wants an object: {"attempts": 3}');
  const { dedupe: id, dedupeTtl, dedupeMode, retainAge, retainCount } = flags;
  if (id === undefined && (dedupeTtl !== undefined || dedupeMode !== undefined))
    throw misused('--dedupe-ttl and --dedupe-mode belong to --dedupe <id>.');
  const options = defined({
    ...given,
    ...defined({
      delay: flags.delay,
      run_at: flags.runAt,
      priority: flags.priority,
      group: flags.group,
      lifo: flags.lifo,
      attempts: flags.attempts,
      backoff: flags.backoff,
      timeout: flags.timeout,
      ttl: flags.ttl,
      expires_at: flags.expiresAt,
      deduplication: id === undefined ? undefined : defined({ id, ttl: dedupeTtl, mode: dedupeMode }),
      retain:
        retainAge === undefined && retainCount === undefined
          ? undefined
          : defined({ age: retainAge && Math.ceil(retainAge / 1_000), count: retainCount }),
    }),
  });
  return Object.keys(options).length === 0 ? undefined : (options as JobOptions);
}

/** `<type>:<delay>`, or `<type>:<delay>:<jitter>`. */
function backoff(text: string): NonNullable<JobOptions['backoff']> {
  const [kind, delayText = '', jitterText, ...rest] = text.split(':');
  const type = BACKOFF_TYPES.find((known) => known === kind);
  const jitter = jitterText === undefined ? undefined : Number(jitterText);
  const isWhole = jitter === undefined || (jitterText?.trim() !== '' && jitter >= 0 && jitter <= 1);
  if (!type || !isWhole || rest.length > 0) {
    const types = BACKOFF_TYPES.map((known) => `${known}:5s`).join(', ');
    throw new InvalidArgumentError(
      `wanted ${types}, or with a part that is random from 0 to 1: fixed:5s:0.5`,
    );
  }
  return { type, delay: duration(delayText), ...(jitter !== undefined && { jitter }) };
}

function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
