/** This file owns `sluice jobs`: looking at jobs of a running API, following one, running them again, cancelling them. */
import { LISTED_STATES } from '@sluice/jobs/schemas';
import { type Command, Option } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { CommandFailure } from '../failure.ts';
import { followToEnd } from '../job-report.ts';
import {
  instant,
  length,
  memberText,
  print,
  printFacts,
  printTable,
  resourceTexts,
  visible,
} from '../output.ts';
import { wholeNumber } from '../quantity.ts';
import { refusalOf, told } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';

interface ListOptions extends ApiOptions {
  state: (typeof LISTED_STATES)[number];
  limit: number;
  all?: true;
}

type Job = Awaited<ReturnType<Api['client']['getJob']>>;

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

const HELP = `
Examples
  sluice jobs list mail --state failed
  sluice jobs show mail j_01J8ZC4Y7QWJ3M5N6P8R9S0TVW
  sluice jobs follow mail j_01J8ZC4Y7QWJ3M5N6P8R9S0TVW
  sluice jobs retry mail $(sluice jobs list mail --state failed --all --json | jq -r .id)`;

export function addJobsCommand(program: Command, terminal: Terminal): void {
  const jobs = program.command('jobs').description('jobs: list, show, follow, retry, cancel');
  jobs.addHelpText('after', HELP);

  speaksToApi(jobs.command('list').description('jobs of one state, in pages'))
    .argument('<queue>', 'its name')
    .addOption(new Option('--state <state>', 'where they are').choices(LISTED_STATES).default('waiting'))
    .option('--limit <count>', 'jobs a page', wholeNumber(1, MAX_LIMIT), DEFAULT_LIMIT)
    .option('--all', 'all pages; default the first')
    .action((queue: string, options: ListOptions) =>
      withApi(options, terminal, (api) => list(api, terminal, queue, options)),
    );

  one(jobs.command('show').description('one job: data, progress, result, error, attempts'), show);

  one(
    jobs
      .command('follow')
      .description('what happens to a job and what it logs, until it ends; status 1 when it fails'),
    (api, queue, id) => followToEnd(api, terminal, { queue, id }),
  );

  many(jobs.command('retry').description('run finished jobs again, with all their attempts'), (api, job) =>
    api.client.retryJob({ params: job }),
  );

  many(jobs.command('cancel').description('cancel jobs in any state; running ones are aborted'), (api, job) =>
    api.client.cancelJob({ params: job }),
  );

  function one(
    command: Command,
    work: (api: Api, queue: string, id: string, terminal: Terminal) => Promise<void>,
  ): void {
    speaksToApi(command)
      .argument('<queue>', 'its name')
      .argument('<id>', 'as enqueueing answered it')
      .action((queue: string, id: string, options: ApiOptions) =>
        withApi(options, terminal, (api) => work(api, queue, id, terminal)),
      );
  }

  function many(
    command: Command,
    act: (api: Api, job: { queue: string; id: string }) => Promise<{ id: string; state: string }>,
  ): void {
    speaksToApi(command)
      .argument('<queue>', 'its name')
      .argument('<id...>', 'as enqueueing answered them')
      .action((queue: string, ids: string[], options: ApiOptions) =>
        withApi(options, terminal, (api) => actOnEach(api, terminal, { queue, ids }, act)),
      );
  }
}

async function list(
  api: Api,
  terminal: Terminal,
  queue: string,
  { state, limit, all }: ListOptions,
): Promise<void> {
  const rows: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await api.client.listJobs({
      params: { queue },
      query: { state, limit: String(limit), cursor },
    });
    if (api.isJson) print(terminal, resourceTexts(api.textOf(page)));
    else rows.push(...page.resource.map(rowOf));
    cursor = page.meta.next;
  } while (cursor !== undefined && all);
  if (api.isJson) return;
  const headings = ['ID', 'NAME', 'STATE', 'AGE', 'ATTEMPTS', 'WHY'];
  printTable(terminal, headings, rows, `No jobs of queue ${queue} are ${state}.`);
  if (cursor !== undefined) terminal.err('There are more: --all, or a longer --limit.\n');
}

function rowOf(job: Job): string[] {
  const ageMs = job.created_at === null ? null : Math.max(0, Date.now() - Date.parse(job.created_at));
  return [
    job.id,
    job.name,
    job.is_cancelling ? 'cancelling' : job.state,
    ageMs === null ? '-' : length(ageMs),
    `${job.attempts.made}/${job.attempts.max}`,
    job.error === null ? '' : `${job.error.code}: ${job.error.message}`,
  ];
}

async function show(api: Api, queue: string, id: string, terminal: Terminal): Promise<void> {
  const job = await api.client.getJob({ params: { queue, id } });
  const text = api.textOf(job);
  if (api.isJson) return print(terminal, [text]);
  const { attempts, opts } = job;
  const carried = (name: string): string | null => {
    const value = memberText(text, name);
    return value === undefined || value === 'null' ? null : value;
  };
  printFacts(terminal, [
    ['job', job.id],
    ['queue', job.queue],
    ['name', job.name],
    ['state', job.is_cancelling ? 'cancelling' : job.state],
    ['error', job.error && `${job.error.code}: ${job.error.message}`],
    [
      'attempts',
      `${attempts.made} of ${attempts.max} ended${attempts.lost ? `, ${attempts.lost} lost` : ''}`,
    ],
    ['data', carried('data')],
    ['progress', carried('progress')],
    ['result', carried('result')],
    ['created', instant(job.created_at)],
    ['due', instant(job.run_at)],
    ['started', instant(job.started_at)],
    ['finished', instant(job.finished_at)],
    ['expires', instant(job.expires_at)],
    ['group', opts.group],
    ['priority', opts.priority === 0 ? null : String(opts.priority)],
    ['timeout', opts.timeout === null ? null : length(opts.timeout)],
    ['backoff', carriedOption(opts.backoff)],
    ['deduplication', carriedOption(opts.deduplication)],
    ['parent', job.parent && `${job.parent.queue} ${job.parent.id}`],
    ['scheduler', job.scheduler],
  ]);
}

function carriedOption(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

/** Each by itself: one that is refused keeps none of the others, and makes status 1. */
async function actOnEach(
  api: Api,
  terminal: Terminal,
  { queue, ids }: { queue: string; ids: readonly string[] },
  act: (api: Api, job: { queue: string; id: string }) => Promise<{ id: string; state: string }>,
): Promise<void> {
  let refused = 0;
  for (const id of ids) {
    try {
      const done = await act(api, { queue, id });
      print(terminal, [api.isJson ? api.textOf(done) : `${done.id} ${done.state}`]);
    } catch (error) {
      const known = api.refusal(error);
      const isOfJob = known?.reason.startsWith('job_') ?? false;
      if (!known || !isOfJob || ids.length === 1) throw error;
      refused += 1;
      const refusal = refusalOf(known);
      terminal.err(
        `${api.isJson ? JSON.stringify({ id, error: refusal }) : `${visible(id)}: ${told(refusal)}`}\n`,
      );
    }
  }
  if (refused > 0) throw new CommandFailure(`${refused} of ${ids.length} were refused.`);
}
