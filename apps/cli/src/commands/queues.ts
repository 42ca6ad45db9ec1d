/** This file owns `sluice queues`: looking at queues of a running API, holding them, emptying them, running failures again. */
import { FAILURE_CODES } from '@sluice/jobs/schemas';
import { type Command, Option } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { CommandFailure } from '../failure.ts';
import { interrupted, interruptible } from '../interruption.ts';
import { counted, length, print, printFacts, printTable, resourceTexts } from '../output.ts';
import { wholeNumber } from '../quantity.ts';
import type { Terminal } from '../terminal.ts';
import { addTransferCommands } from './queue-transfer.ts';

interface DrainOptions extends ApiOptions {
  delayed?: true;
  yes?: true;
}

interface RetryOptions extends ApiOptions {
  name?: string;
  code?: (typeof FAILURE_CODES)[number];
  text?: string;
  limit?: number;
}

type Queue = Awaited<ReturnType<Api['client']['getQueue']>>;

/** Of one request; more are asked for page by page. */
const PAGE = 1_000;

const HELP = `
Examples
  sluice queues
  sluice queues show mail
  sluice queues pause mail
  sluice queues drain mail --delayed --yes
  sluice queues retry mail --code timeout --name welcome
  sluice queues export mail --file mail.ndjson
  sluice queues import mail --file mail.ndjson`;

export function addQueuesCommand(program: Command, terminal: Terminal): void {
  const queues = program
    .command('queues')
    .description('queues: look, hold, empty, run failures again, export, import');
  queues.addHelpText('after', HELP);

  speaksToApi(
    queues.command('list', { isDefault: true }).description('every queue that the key may read (default)'),
  ).action((options: ApiOptions) => withApi(options, terminal, (api) => list(api, terminal)));

  acts('show', 'one queue: jobs by state, age, rates, bounds', show);
  acts('pause', 'hold it: workers take nothing from it', (api, queue) =>
    hold(api, terminal, 'pauseQueue', queue),
  );
  acts('resume', 'let workers take from it again', (api, queue) => hold(api, terminal, 'resumeQueue', queue));

  speaksToApi(queues.command('drain').description('remove the jobs that wait; running ones go on'))
    .argument('<queue>', 'its name')
    .option('--delayed', 'those that wait for their time as well')
    .option('--yes', 'do it; without, only tells how many they are')
    .action((queue: string, options: DrainOptions) =>
      withApi(options, terminal, (api) => drain(api, terminal, queue, options)),
    );

  speaksToApi(queues.command('retry').description('run failed jobs again, with all their attempts'))
    .argument('<queue>', 'its name')
    .option('--name <text>', 'those of this name')
    .addOption(new Option('--code <code>', 'those that failed for this reason').choices(FAILURE_CODES))
    .option('--text <text>', 'those with this in the sentence of why they failed')
    .option('--limit <count>', 'at most so many; default all', wholeNumber(1, 10_000_000))
    .action((queue: string, options: RetryOptions) =>
      withApi(options, terminal, (api) => retry(api, terminal, queue, options)),
    );

  addTransferCommands(queues, terminal);

  function acts(
    verb: string,
    description: string,
    work: (api: Api, queue: string, terminal: Terminal) => Promise<void>,
  ): void {
    speaksToApi(queues.command(verb).description(description))
      .argument('<queue>', 'its name')
      .action((queue: string, options: ApiOptions) =>
        withApi(options, terminal, (api) => work(api, queue, terminal)),
      );
  }
}

async function list(api: Api, terminal: Terminal): Promise<void> {
  const found: Queue[] = [];
  let after: string | undefined;
  do {
    const page = await api.client.listQueues({ query: { limit: String(PAGE), after } });
    if (api.isJson) print(terminal, resourceTexts(api.textOf(page)));
    found.push(...page.resource);
    // A page holds what this key may read of so many queues, so a short one need not be the last.
    after = page.resource.at(-1)?.name;
  } while (after !== undefined);
  if (api.isJson) return;
  const rows = found.map((queue) => [
    queue.name,
    queue.is_paused ? 'paused' : 'open',
    String(queue.counts.waiting + queue.counts.prioritized),
    String(queue.counts.active),
    String(queue.counts.delayed),
    String(queue.counts.failed),
    String(queue.counts.completed),
    queue.oldest_waiting_ms === null ? '-' : length(queue.oldest_waiting_ms),
    queue.workers === null ? '?' : String(queue.workers),
    queue.durability,
  ]);
  const headings = [
    'QUEUE',
    'STATE',
    'WAITING',
    'ACTIVE',
    'DELAYED',
    'FAILED',
    'COMPLETED',
    'OLDEST',
    'WORKERS',
    'DURABILITY',
  ];
  printTable(
    terminal,
    headings,
    rows,
    'No queues yet. The first job makes one: sluice enqueue <queue> <name>',
  );
}

async function show(api: Api, name: string, terminal: Terminal): Promise<void> {
  const queue = await api.client.getQueue({ params: { queue: name } });
  if (api.isJson) return print(terminal, [api.textOf(queue)]);
  const { counts, limits, rates } = queue;
  printFacts(terminal, [
    ['queue', queue.name],
    ['state', queue.is_paused ? 'paused' : 'open'],
    ...Object.entries(counts).map(([state, count]): [string, string] => [state, count.toLocaleString('en')]),
    ['oldest waiting', queue.oldest_waiting_ms === null ? null : length(queue.oldest_waiting_ms)],
    ['workers', queue.workers === null ? 'not known' : String(queue.workers)],
    ['completed', `${rates.completed_per_minute} a minute`],
    ['failed', `${rates.failed_per_minute} a minute`],
    ['durability', queue.durability],
    ['at a time', limits.concurrency === null ? null : String(limits.concurrency)],
    ['rate', limits.rate && `${limits.rate.max} in ${length(limits.rate.duration)}`],
    ['each group', limits.group && JSON.stringify(limits.group)],
  ]);
}

async function hold(
  api: Api,
  terminal: Terminal,
  verb: 'pauseQueue' | 'resumeQueue',
  name: string,
): Promise<void> {
  const queue = await api.client[verb]({ params: { queue: name } });
  const waiting = queue.counts.waiting + queue.counts.prioritized;
  const rest = `${counted(waiting, 'job')} ${waiting === 1 ? 'waits' : 'wait'} in it.`;
  const sentence = `Queue ${queue.name} is ${queue.is_paused ? 'paused' : 'open'}; ${rest}`;
  print(terminal, [api.isJson ? api.textOf(queue) : sentence]);
}

async function drain(
  api: Api,
  terminal: Terminal,
  name: string,
  { delayed, yes }: DrainOptions,
): Promise<void> {
  if (!yes) {
    const { counts } = await api.client.getQueue({ params: { queue: name } });
    const waiting = counts.waiting + counts.prioritized + (delayed ? counts.delayed : 0);
    throw new CommandFailure(
      `This would remove ${counted(waiting, 'job')} from queue ${name}, for good. Add --yes to do it.`,
    );
  }
  const affected = await inSteps(terminal, 'removed', (cursor) =>
    api.client.drainQueue({ params: { queue: name }, body: { delayed, cursor } }),
  );
  const sentence = `Removed ${counted(affected, 'job')} from queue ${name}.`;
  print(terminal, [api.isJson ? JSON.stringify({ queue: name, removed: affected }) : sentence]);
}

async function retry(api: Api, terminal: Terminal, queue: string, options: RetryOptions): Promise<void> {
  const { name, code, text, limit } = options;
  let left = limit;
  const affected = await inSteps(terminal, 'run again', async (cursor) => {
    const reply = await api.client.redriveJobs({
      params: { queue },
      body: { name, code, text, limit: left, cursor },
    });
    if (left !== undefined) left -= reply.affected;
    return left === 0 ? { ...reply, next: null } : reply;
  });
  const sentence = `${counted(affected, 'failed job')} of queue ${queue} ${affected === 1 ? 'runs' : 'run'} again.`;
  print(terminal, [api.isJson ? JSON.stringify({ queue, retried: affected }) : sentence]);
}

/** A call works for about a second and says where to go on; answers how many jobs all of them did it to. */
async function inSteps(
  terminal: Terminal,
  done: string,
  step: (cursor: string | undefined) => Promise<{ affected: number; next: string | null }>,
): Promise<number> {
  return await interruptible(async (signal) => {
    let affected = 0;
    let cursor: string | undefined;
    for (;;) {
      const reply = await step(cursor);
      affected += reply.affected;
      if (reply.next === null) return affected;
      cursor = reply.next;
      if (signal.aborted)
        throw interrupted(`Stopped with ${counted(affected, 'job')} ${done}; there are more.`);
      terminal.err(`${counted(affected, 'job')} ${done} so far\n`);
    }
  });
}
