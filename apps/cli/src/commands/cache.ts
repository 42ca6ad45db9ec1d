/** This file owns `sluice cache`: values of a cache service, through a running API. */
import { JsonText } from '@sluice/runtime';
import type { Command } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { readArgument, readJsonArgument } from '../argument.ts';
import { CommandFailure } from '../failure.ts';
import { length, memberText, print, printTable, resourceTexts, visible } from '../output.ts';
import { wholeNumber } from '../quantity.ts';
import type { Terminal } from '../terminal.ts';

interface CacheOptions extends ApiOptions {
  service: string;
}

interface GetOptions extends CacheOptions {
  text?: true;
}

interface SetOptions extends CacheOptions {
  text?: true;
  ttl?: number;
  tag?: string[];
  nx?: true;
  xx?: true;
  keepTtl?: true;
}

interface DeleteOptions extends CacheOptions {
  ignoreMissing?: true;
}

interface ListOptions extends CacheOptions {
  limit: number;
  all?: true;
}

const DEFAULT_SERVICE = 'redis';
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const MAX_TTL_SECONDS = 1_000_000_000;

const HELP = `
Examples
  sluice cache set user:1 '{"name": "Ada"}' --ttl 3600 --tag users
  sluice cache set motd --text 'Good morning'
  sluice cache get user:1 | jq .name
  sluice cache list user: --all
  sluice cache delete user:1 user:2 --service orders`;

export function addCacheCommand(program: Command, terminal: Terminal): void {
  const cache = program.command('cache').description('values of a cache service: get, set, delete, list');
  cache.addHelpText('after', HELP);

  ofService(cache.command('get').description('the value of a key, as it was stored'))
    .argument('<key>', 'the key')
    .option('--text', 'a text without its quotes')
    .action((key: string, options: GetOptions) =>
      withApi(options, terminal, (api) => get(api, terminal, key, options)),
    );

  ofService(cache.command('set').description('store a value under a key'))
    .argument('<key>', 'the key')
    .argument('<value>', 'JSON, @file, or - for standard input')
    .option('--text', 'the value is a text as it stands, not JSON')
    .option(
      '--ttl <seconds>',
      'how long it lives, 0 for ever; default what the service says',
      wholeNumber(0, MAX_TTL_SECONDS),
    )
    .option('--tag <tag...>', 'by which it can be purged with others; repeat for more')
    .option('--nx', 'only when the key does not exist')
    .option('--xx', 'only when it exists')
    .option('--keep-ttl', 'leave the time that it has left')
    .action((key: string, value: string, options: SetOptions) =>
      withApi(options, terminal, (api) => set(api, terminal, { key, value }, options)),
    );

  ofService(cache.command('delete').description('remove keys'))
    .argument('<key...>', 'the keys')
    .option('--ignore-missing', 'a key that is not there is no failure')
    .action((keys: string[], options: DeleteOptions) =>
      withApi(options, terminal, (api) => remove(api, terminal, keys, options)),
    );

  ofService(cache.command('list').description('keys and the seconds they have left; looks at all of them'))
    .argument('[prefix]', 'only those that begin with it')
    .option('--limit <count>', 'keys a page', wholeNumber(1, MAX_LIMIT), DEFAULT_LIMIT)
    .option('--all', 'all pages; default the first')
    .action((prefix: string | undefined, options: ListOptions) =>
      withApi(options, terminal, (api) => list(api, terminal, prefix, options)),
    );
}

function ofService(command: Command): Command {
  return speaksToApi(command).option('--service <name>', 'the cache service', DEFAULT_SERVICE);
}

/** By a body: a path cannot carry every key. */
async function get(api: Api, terminal: Terminal, key: string, { service, text }: GetOptions): Promise<void> {
  const reply = await api.client.readMany({ params: { service }, body: { resource: [{ key }] } });
  const [found = '{}'] = resourceTexts(api.textOf(reply));
  const value = memberText(found, 'value');
  if (value === undefined)
    throw new CommandFailure(`There is no key ${visible(JSON.stringify(key))} in cache service ${service}.`);
  if (api.isJson) return print(terminal, [found]);
  const isText = text && value.startsWith('"');
  // Not made safe to show: what goes to a file or a pipe must be what was stored.
  print(terminal, [isText ? (JSON.parse(value) as string) : value]);
}

async function set(
  api: Api,
  terminal: Terminal,
  { key, value }: { key: string; value: string },
  options: SetOptions,
): Promise<void> {
  const { service, text, ttl, tag: tags, nx, xx, keepTtl } = options;
  const stored = text
    ? new JsonText(JSON.stringify(await readArgument('The value', value, terminal)))
    : await readJsonArgument('The value', value, terminal);
  const reply = await api.client.storeValues({
    params: { service },
    body: {
      key,
      value: stored,
      ...(ttl !== undefined && { ttl }),
      ...(tags && { tags }),
      ...(nx && { nx }),
      ...(xx && { xx }),
      ...(keepTtl && { keep_ttl: true }),
    },
  });
  const [told = ''] = resourceTexts(api.textOf(reply));
  print(terminal, [api.isJson ? told : `Stored ${visible(key)}.`]);
}

async function remove(
  api: Api,
  terminal: Terminal,
  keys: string[],
  { service, ignoreMissing }: DeleteOptions,
): Promise<void> {
  const reply = await api.client.flushCache({ params: { service }, body: { resource: keys } });
  const results = resourceTexts(api.textOf(reply));
  const missing = keys.filter((_, at) => memberText(results[at] ?? '{}', 'success') !== 'true');
  const deleted = keys.filter((key) => !missing.includes(key));
  print(terminal, api.isJson ? results : deleted.map((key) => `Deleted ${visible(key)}.`));
  if (missing.length === 0 || ignoreMissing) return;
  const sentence = `not there: ${missing.map((key) => visible(JSON.stringify(key))).join(', ')}`;
  throw new CommandFailure(`In cache service ${service} ${missing.length === 1 ? 'is' : 'are'} ${sentence}.`);
}

async function list(
  api: Api,
  terminal: Terminal,
  prefix: string | undefined,
  { service, limit, all }: ListOptions,
): Promise<void> {
  const rows: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await api.client.readKeys({
      params: { service },
      query: { prefix, limit: String(limit), include_ttl: 'true', cursor },
    });
    const found = resourceTexts(api.textOf(page));
    if (api.isJson) print(terminal, found);
    else rows.push(...found.map(rowOf));
    cursor = 'meta' in page ? page.meta?.next : undefined;
  } while (cursor !== undefined && all);
  if (api.isJson) return;
  printTable(terminal, ['KEY', 'EXPIRES IN'], rows, `No keys in cache service ${service}.`);
  if (cursor !== undefined) terminal.err('There are more: --all, or a longer --limit.\n');
}

function rowOf(text: string): string[] {
  const { key, ttl = 0 } = JSON.parse(text) as { key: string; ttl?: number };
  return [key, ttl === 0 ? 'never' : length(ttl * 1_000)];
}
