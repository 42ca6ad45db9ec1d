/** This file owns `sluice queues export` and `import`: a queue's schedulers and jobs into a file of lines, and from it into a queue. */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MAX_BATCH } from '@sluice/jobs/schemas';
import { JsonText } from '@sluice/runtime';
import { type Command, Option } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { misused, readBytes } from '../argument.ts';
import { CommandFailure } from '../failure.ts';
import { interrupted, interruptible } from '../interruption.ts';
import { JobImport } from '../job-import.ts';
import { linesOf } from '../job-lines.ts';
import { counted, memberText, print } from '../output.ts';
import { wholeNumber } from '../quantity.ts';
import {
  type Checkpoint,
  checkpointOf,
  EXPORTED_STATES,
  type ExportedState,
  exportedPages,
  jobLinesOnly,
} from '../queue-lines.ts';
import type { Terminal } from '../terminal.ts';

interface ExportOptions extends ApiOptions {
  state: ExportedState[];
  file?: string;
  resume?: true;
}

interface ImportOptions extends ApiOptions {
  file?: string;
  stdin?: true;
  batch: number;
  continue?: true;
}

type SchedulerBody = NonNullable<NonNullable<Parameters<Api['client']['putScheduler']>[0]>['body']>;

/** Jobs between two words about how far it has come. */
const TELL_EVERY = 1_000;

export function addTransferCommands(queues: Command, terminal: Terminal): void {
  speaksToApi(queues.command('export').description('schedulers and jobs, one a line, for `queues import`'))
    .argument('<queue>', 'its name')
    .addOption(
      new Option('--state <state...>', 'which jobs')
        .choices(EXPORTED_STATES)
        .default(['waiting', 'prioritized', 'delayed'], 'waiting, prioritized, delayed'),
    )
    .option('--file <path>', 'write there; default standard output')
    .option('--resume', 'go on in the file where an export was interrupted')
    .action((queue: string, options: ExportOptions) => {
      if (options.resume && options.file === undefined)
        throw misused('--resume goes on in a file: --file <path>.');
      return withApi(options, terminal, (api) => exportQueue(api, terminal, queue, options));
    });

  speaksToApi(queues.command('import').description('lines of `queues export` into a queue; twice is as once'))
    .argument('<queue>', 'its name; it may be another than they came from')
    .option('--file <path>', 'the lines')
    .option('--stdin', 'the lines are on standard input')
    .option('--batch <count>', 'jobs in a request', wholeNumber(1, MAX_BATCH), MAX_BATCH)
    .option('--continue', 'go on after a line that is refused; status 1 at the end')
    .action((queue: string, options: ImportOptions) => {
      if ((options.file === undefined) === (options.stdin === undefined))
        throw misused('Give --file <path> or --stdin.');
      return withApi(options, terminal, (api) => importQueue(api, terminal, queue, options));
    });
}

async function exportQueue(
  api: Api,
  terminal: Terminal,
  queue: string,
  { state: states, file, resume }: ExportOptions,
): Promise<void> {
  const target = file === undefined ? undefined : await open(resolve(file), resume ? 'a+' : 'w');
  try {
    const after = target && resume ? await lastCheckpoint(target) : undefined;
    const told = { jobs: 0, schedulers: 0 };
    let toldJobs = 0;
    await interruptible(async (signal) => {
      for await (const page of exportedPages(api, queue, { states, after })) {
        const text = `${page.lines.join('\n')}\n`;
        if (target) await target.appendFile(text);
        else terminal.out(text);
        told.jobs += page.jobs;
        told.schedulers += page.schedulers;
        if (signal.aborted) {
          const how = file === undefined ? '' : ' The same command with --resume goes on.';
          throw interrupted(`Stopped with ${counted(told.jobs, 'job')} exported.${how}`);
        }
        if (told.jobs - toldJobs < TELL_EVERY) continue;
        toldJobs = told.jobs;
        terminal.err(`${counted(told.jobs, 'job')} exported so far\n`);
      }
    });
    const sentence = `Exported ${counted(told.schedulers, 'scheduler')} and ${counted(told.jobs, 'job')} of queue ${queue}.`;
    if (target) print(terminal, [api.isJson ? JSON.stringify({ queue, ...told }) : sentence]);
    else terminal.err(`${sentence}\n`);
  } finally {
    await target?.close();
  }
}

/** Where an interrupted export goes on; what it had written of the next page is cut off. */
async function lastCheckpoint(file: FileHandle): Promise<Checkpoint | undefined> {
  let found: Checkpoint | undefined;
  let end = 0;
  let at = 0;
  for await (const line of linesOf(file.createReadStream({ autoClose: false, start: 0 }))) {
    at += line.length + 1;
    const checkpoint = checkpointOf(Buffer.from(line).toString());
    if (checkpoint === undefined) continue;
    found = checkpoint;
    end = at;
  }
  await file.truncate(end);
  return found;
}

async function importQueue(
  api: Api,
  terminal: Terminal,
  queue: string,
  { file, batch, continue: isContinued }: ImportOptions,
): Promise<void> {
  const path = file === undefined ? undefined : resolve(file);
  let schedulers = 0;
  const onScheduler = async (text: string) => {
    await putScheduler(api, queue, text);
    schedulers += 1;
  };
  const job = new JobImport({
    api,
    terminal,
    queue,
    jobName: undefined,
    opts: undefined,
    // Exported jobs have keys of their own; this is for lines that somebody added.
    run: `import ${path ?? randomUUID()}`,
    isRunTold: false,
    batchSize: batch,
    fromLine: 1,
    isContinued: isContinued === true,
  });
  await interruptible(async (signal) => {
    const source = path === undefined ? terminal.stdin : readBytes('--file', path);
    const { ending, enqueued, refused, advice } = await job.send(
      source && jobLinesOnly(source, onScheduler),
      signal,
    );
    const done = `${counted(schedulers, 'scheduler')} set, ${enqueued} enqueued`;
    if (ending === 'interrupted') throw interrupted(`Stopped with ${done}. ${advice}`);
    if (ending === 'refused') throw new CommandFailure(`Stopped with ${done}. ${advice}`);
    if (refused > 0) throw new CommandFailure(`${done}, ${refused} refused. ${advice}`);
    if (!api.isJson) print(terminal, [`Imported into queue ${queue}: ${done}.`]);
  });
}

async function putScheduler(api: Api, queue: string, text: string): Promise<void> {
  const { id, schedule, name, opts } = JSON.parse(text) as SchedulerBody & { id: string };
  const data = new JsonText(memberText(text, 'data') ?? '{}');
  await api.client.putScheduler({ params: { queue, id }, body: { schedule, name, data, opts } });
}
