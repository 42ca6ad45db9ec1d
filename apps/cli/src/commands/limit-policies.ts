/** This file owns making, changing and removing policies: `sluice limits create`, `update`, `delete`. */
import { type Command, Option } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { misused, readJsonArgument } from '../argument.ts';
import { print, resourceTexts } from '../output.ts';
import { wholeNumber } from '../quantity.ts';
import type { Terminal } from '../terminal.ts';

interface PolicyOptions extends ApiOptions {
  data?: string;
  algorithm?: string;
  limit?: number;
  period?: string;
  burst?: number;
  lease?: string;
  by?: string[];
  away?: string;
  shadow?: true;
}

type Body = NonNullable<NonNullable<Parameters<Api['client']['patchPolicy']>[0]>['body']>;

const MAX_COUNT = 1_000_000_000;

export function addPolicyCommands(limits: Command, terminal: Terminal): void {
  described(limits.command('create').description('make a policy; every server obeys within 2 s')).action(
    (name: string, options: PolicyOptions) =>
      withApi(options, terminal, (api) => create(api, terminal, name, options)),
  );

  described(limits.command('update').description('change what the options name; counts go on')).action(
    (name: string, options: PolicyOptions) =>
      withApi(options, terminal, (api) => update(api, terminal, name, options)),
  );

  speaksToApi(limits.command('delete').description('remove a policy; what it counted expires by itself'))
    .argument('<policy>', 'its name')
    .action((name: string, options: ApiOptions) =>
      withApi(options, terminal, (api) => remove(api, terminal, name)),
    );
}

function described(command: Command): Command {
  return speaksToApi(command)
    .argument('<policy>', 'its name')
    .option('--data <json>', 'the whole policy: JSON, @file or -; other options stand before it')
    .addOption(
      new Option('--algorithm <name>', 'default gcra').choices(['gcra', 'sliding', 'fixed', 'concurrency']),
    )
    .option('--limit <count>', 'units a period, or at once', wholeNumber(0, MAX_COUNT))
    .option('--period <time>', 'minute, hour, day, 7-day, 30-day, or 10s, 15m, 2h')
    .option('--burst <count>', 'units beyond the even pace; of gcra', wholeNumber(0, MAX_COUNT))
    .option('--lease <time>', 'how long one of concurrency is held')
    .option('--by <fact...>', 'count requests to this API by key, session, address, route, service, queue')
    .addOption(new Option('--away <what>', 'while Redis is away').choices(['memory', 'open', 'closed']))
    .option('--shadow', 'count and tell, refuse nobody');
}

async function create(api: Api, terminal: Terminal, name: string, options: PolicyOptions): Promise<void> {
  const made = await api.client.createPolicies({ body: { ...(await policy(options, terminal)), name } });
  const [text = ''] = resourceTexts(api.textOf(made));
  print(terminal, [api.isJson ? text : `Policy ${name} is made; every server obeys it within 2 s.`]);
}

async function update(api: Api, terminal: Terminal, name: string, options: PolicyOptions): Promise<void> {
  const body = await policy(options, terminal);
  if (Object.keys(body).length === 0) throw misused('Say what changes: --limit, --period, … or --data.');
  const changed = await api.client.patchPolicy({ params: { name }, body });
  const sentence = `Policy ${name} is changed; every server obeys it within 2 s.`;
  print(terminal, [api.isJson ? api.textOf(changed) : sentence]);
}

async function remove(api: Api, terminal: Terminal, name: string): Promise<void> {
  const removed = await api.client.removePolicy({ params: { name } });
  print(terminal, [api.isJson ? api.textOf(removed) : `Policy ${name} is removed.`]);
}

/** What the options say, over what `--data` says. */
async function policy({ data, url, key, json, ...said }: PolicyOptions, terminal: Terminal): Promise<Body> {
  const given: unknown =
    data === undefined ? {} : (await readJsonArgument('--data', data, terminal)).toJSON();
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw misused('--data wants an object: {"limit": 100, "period": "hour"}');
  return { ...given, ...said };
}
