/** This file owns `sluice enqueue`: one job from the arguments, or many from a file or standard input, through a running API. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { JsonText } from '@sluice/runtime';
import type { Command } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { misused, readBytes, readJsonArgument } from '../argument.ts';
import { CommandFailure } from '../failure.ts';
import { interrupted, interruptible } from '../interruption.ts';
import { JobImport } from '../job-import.ts';
import { type JobFlags, jobOptions, takesJobOptions } from '../job-options.ts';
import { followToEnd } from '../job-report.ts';
import { waitForEnd } from '../job-wait.ts';
import { print } from '../output.ts';
import { duration, wholeNumber } from '../quantity.ts';
import type { Terminal } from '../terminal.ts';

interface EnqueueOptions extends ApiOptions, JobFlags {
  data?: string;
  idempotencyKey?: string;
  /** Milliseconds. */
  wait?: number;
  follow?: true;
  file?: string;
  stdin?: true;
  run?: string;
  batch: number;
  fromLine: number;
  continue?: true;
}

/** Options of one job, and of many. */
const OF_ONE = ['data', 'idempotencyKey', 'wait', 'follow'] as const;
const OF_MANY = ['run', 'continue'] as const;
const MAX_BATCH = 500;

const HELP = `
Many jobs, one a line: with a <name> before it, each line is the data of a job of that name; without, each line is a job
{"name": …, "data": …, "opts": …, "idempotency_key": …}, of which "opts" stands instead of the options given here.
A line's idempotency key comes from the file's path (or --run) and its number, so the same command again goes on where it
was stopped and enqueues nothing twice, for 24 hours. Everything before a refused line is enqueued.

Examples
  sluice enqueue mail welcome --data '{"to": "ada"}'
  sluice enqueue mail welcome --data @welcome.json --delay 10m --attempts 5 --backoff exponential:5s
  sluice enqueue demo http.request --data '{"url": "https://example.com/"}' --wait 30s
  sluice enqueue mail --file jobs.ndjson
  zcat users.ndjson.gz | sluice enqueue mail welcome --stdin --run users-2027-01 --continue`;

export function addEnqueueCommand(program: Command, terminal: Terminal): void {
  const enqueue = program
    .command('enqueue')
    .description('enqueue a job, or many from a file or standard input')
    .argument('<queue>', 'its name; the first job makes it')
    .argument('[name]', 'of the job; what its processor is called')
    .option('--data <json>', 'JSON, @file, or - for standard input; default {}')
    .option('--idempotency-key <text>', 'the same key again is the same job, for 24 hours')
    .option('--wait <time>', 'for its end, and print the result', duration)
    .option('--follow', 'print what happens to it until it ends')
    .option('--file <path>', 'many jobs, one a line')
    .option('--stdin', 'many jobs, one a line of standard input')
    .option('--run <name>', 'names the sending for idempotency keys; default the path of the file')
    .option('--batch <count>', 'jobs in a request', wholeNumber(1, MAX_BATCH), MAX_BATCH)
    .option('--from-line <number>', 'leave out the lines before', wholeNumber(1, Number.MAX_SAFE_INTEGER), 1)
    .option('--continue', 'go on after a line that is refused; status 1 at the end');
  takesJobOptions(speaksToApi(enqueue))
    .addHelpText('after', HELP)
    .action((queue: string, name: string | undefined, options: EnqueueOptions) => {
      requireSense(name, options);
      const isMany = options.file !== undefined || options.stdin === true;
      return withApi(options, terminal, (api) =>
        isMany
          ? enqueueMany(api, terminal, { queue, name, options })
          : enqueueOne(api, terminal, { queue, name: name as string, options }),
      );
    });
}

/** Throws when the options do not go together. */
function requireSense(name: string | undefined, options: EnqueueOptions): void {
  if (options.file !== undefined && options.stdin) throw misused('Give --file or --stdin, not both.');
  const isMany = options.file !== undefined || options.stdin === true;
  if (!isMany && name === undefined)
    throw misused('Name the job (sluice enqueue <queue> <name>), or give many with --file or --stdin.');
  const strangers = (isMany ? OF_ONE : OF_MANY).filter((option) => options[option] !== undefined);
  if (strangers.length > 0) {
    const names = strangers.map(
      (option) => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    );
    throw misused(
      `${names.join(', ')}: only for ${isMany ? 'one job' : 'many jobs, with --file or --stdin'}.`,
    );
  }
  if (options.wait !== undefined && options.follow) throw misused('Give --wait or --follow, not both.');
}

async function enqueueOne(
  api: Api,
  terminal: Terminal,
  { queue, name, options }: { queue: string; name: string; options: EnqueueOptions },
): Promise<void> {
  const { data, idempotencyKey, wait, follow } = options;
  const opts = await jobOptions(options, terminal);
  const job = await api.client.enqueueJobs({
    params: { queue },
    body: {
      name,
      data: data === undefined ? new JsonText('{}') : await readJsonArgument('--data', data, terminal),
      ...(opts && { opts }),
      ...(idempotencyKey !== undefined && { idempotency_key: idempotencyKey }),
    },
  });
  if (!('id' in job)) throw new TypeError('the API answered one job with a list');
  if (wait !== undefined) return await waitForEnd(api, terminal, { queue, id: job.id, timeoutMs: wait });
  print(terminal, [api.isJson ? api.textOf(job) : `${job.id} ${job.state}`]);
  if (follow) await followToEnd(api, terminal, { queue, id: job.id });
}

async function enqueueMany(
  api: Api,
  terminal: Terminal,
  { queue, name, options }: { queue: string; name: string | undefined; options: EnqueueOptions },
): Promise<void> {
  const { file, run, batch, fromLine } = options;
  const path = file === undefined ? undefined : resolve(file);
  const job = new JobImport({
    api,
    terminal,
    queue,
    jobName: name,
    opts: await jobOptions(options, terminal),
    run: run ?? (path === undefined ? randomUUID() : `${path}\n${name ?? ''}`),
    isRunTold: run === undefined && path === undefined,
    batchSize: batch,
    fromLine,
    isContinued: options.continue === true,
  });
  await interruptible(async (signal) => {
    const source = path === undefined ? terminal.stdin : readBytes('--file', path);
    const { ending, enqueued, refused, advice } = await job.send(source, signal);
    switch (ending) {
      case 'interrupted':
        throw interrupted(`Stopped with ${enqueued} enqueued. ${advice}`);
      case 'refused':
        throw new CommandFailure(`Stopped with ${enqueued} enqueued. ${advice}`);
      case 'done':
        if (refused > 0) throw new CommandFailure(`${enqueued} enqueued, ${refused} refused. ${advice}`);
        if (!api.isJson) print(terminal, [`Enqueued ${enqueued} in queue ${queue}.`]);
        return;
      default:
        return ending satisfies never;
    }
  });
}
