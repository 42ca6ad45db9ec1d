/** This file owns `sluice services`: cache services of a running API: list, make, try, remove. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { misused, readArgument, readJsonArgument } from '../argument.ts';
import { CommandFailure } from '../failure.ts';
import { print, printTable, resourceTexts } from '../output.ts';
import { wholeNumber } from '../quantity.ts';
import type { Terminal } from '../terminal.ts';

interface DefinitionOptions extends ApiOptions {
  data?: string;
  type?: string;
  label?: string;
  description?: string;
  host?: string;
  port?: number;
  username?: string;
  password?: string;
  database?: number;
  defaultTtl?: number;
}

interface DeleteOptions extends ApiOptions {
  flush?: true;
}

/** Options that describe no service. */
const SHARED: ReadonlySet<string> = new Set(['url', 'key', 'json']);

type Body = NonNullable<NonNullable<Parameters<Api['client']['testService']>[0]>['body']>;
type ConnectionTest = Awaited<ReturnType<Api['client']['testService']>>;

const HELP = `
Examples
  sluice services list
  sluice services create orders --host cache.internal --port 6379 --default-ttl 60 --password @/run/secrets/redis
  sluice services create orders --data @orders.json
  sluice services update orders --default-ttl 30
  sluice services test orders
  sluice services test --host cache.internal
  sluice services delete orders --flush`;

export function addServicesCommand(program: Command, terminal: Terminal): void {
  const services = program
    .command('services')
    .description('cache services: list, create, update, test, delete');
  services.addHelpText('after', HELP);

  speaksToApi(
    services.command('list', { isDefault: true }).description('every cache service (default)'),
  ).action((options: ApiOptions) => withApi(options, terminal, (api) => list(api, terminal)));

  defined(services.command('create').description('make a cache service; every server serves it within 2 s'))
    .argument('<name>', 'leads the addresses of its keys')
    .action((name: string, options: DefinitionOptions) =>
      withApi(options, terminal, (api) => create(api, terminal, name, options)),
    );

  defined(
    services.command('update').description('change what the options name; every server serves it within 2 s'),
  )
    .argument('<name>', 'its name')
    .action((name: string, options: DefinitionOptions) =>
      withApi(options, terminal, (api) => update(api, terminal, name, options)),
    );

  defined(services.command('test').description('can its Redis be reached? Stores nothing'))
    .argument('[name]', 'of a service that is there; without, what the options describe')
    .action((name: string | undefined, options: DefinitionOptions) =>
      withApi(options, terminal, (api) => test(api, terminal, name, options)),
    );

  speaksToApi(
    services.command('delete').description('remove a cache service; its values stay unless flushed'),
  )
    .argument('<name>', 'its name')
    .option('--flush', 'remove its values first')
    .action((name: string, options: DeleteOptions) =>
      withApi(options, terminal, (api) => remove(api, terminal, name, options)),
    );
}

function defined(command: Command): Command {
  return speaksToApi(command)
    .option('--data <json>', 'the whole definition: JSON, @file or -; other options stand before it')
    .addOption(
      new Option('--type <type>', 'where values are kept; default cache_redis').choices([
        'cache_redis',
        'cache_local',
      ]),
    )
    .option('--label <text>', 'for people')
    .option('--description <text>', 'for people')
    .option('--host <name>', 'of its Redis; default the one of the cache role')
    .option('--port <number>', 'of its Redis', wholeNumber(1, 65_535))
    .option('--username <name>', 'of Redis ACL')
    .option('--password <@file>', '@file, or - for standard input', fromElsewhere)
    .option('--database <index>', '0 to 15', wholeNumber(0, 15))
    .option(
      '--default-ttl <minutes>',
      'how long values live, 0 for ever; default 300',
      wholeNumber(0, 525_600),
    );
}

/** Everybody on a machine can list the arguments of its processes. */
function fromElsewhere(text: string): string {
  if (text === '-' || text.startsWith('@')) return text;
  throw new InvalidArgumentError('a password among the arguments can be seen by others: give @file or -');
}

async function list(api: Api, terminal: Terminal): Promise<void> {
  const services = await api.client.listServices();
  if (api.isJson) return print(terminal, resourceTexts(api.textOf(services)));
  const rows = services.resource.map((service) => [
    service.name,
    service.type,
    stateOf(service),
    service.config.default_ttl === 0 ? 'never' : `${service.config.default_ttl}m`,
    service.origin,
    service.label,
  ]);
  printTable(terminal, ['SERVICE', 'TYPE', 'STATE', 'TTL', 'ORIGIN', 'LABEL'], rows, 'No cache services.');
}

function stateOf({ is_active: isActive, problem }: { is_active: boolean; problem: string | null }): string {
  if (!isActive) return 'inactive';
  return problem === null ? 'ready' : problem;
}

async function create(api: Api, terminal: Terminal, name: string, options: DefinitionOptions): Promise<void> {
  const body = await definition(name, options, terminal);
  const made = await api.client.createServices({ body });
  const [text = ''] = resourceTexts(api.textOf(made));
  print(terminal, [api.isJson ? text : `Cache service ${name} is made; every server serves it within 2 s.`]);
}

async function update(api: Api, terminal: Terminal, name: string, options: DefinitionOptions): Promise<void> {
  if (!Object.keys(options).some((option) => !SHARED.has(option)))
    throw misused('Say what changes: --host, --port, --label, … or --data.');
  const body = await changes(options, terminal);
  const changed = await api.client.patchService({ params: { name }, body });
  const sentence = `Cache service ${name} is changed; every server serves it within 2 s.`;
  print(terminal, [api.isJson ? api.textOf(changed) : sentence]);
}

async function test(
  api: Api,
  terminal: Terminal,
  name: string | undefined,
  options: DefinitionOptions,
): Promise<void> {
  const isDescribed = Object.keys(options).some((option) => !SHARED.has(option));
  if (name !== undefined && isDescribed)
    throw misused('Give the name of a service that is there, or options that describe one; not both.');
  if (name === undefined && !isDescribed)
    throw misused('Give the name of a service that is there, or --host, --port, … of a Redis to try.');
  const found =
    name === undefined
      ? await api.client.testService({ body: await definition('untitled', options, terminal) })
      : await api.client.testStoredService({ params: { name } });
  const isGood = found.fault === null && found.reachable && found.authenticated;
  print(terminal, api.isJson ? [api.textOf(found)] : isGood ? reached(found) : found.warnings);
  if (!isGood) throw new CommandFailure(`It cannot serve: ${found.fault ?? 'not reachable'}.`);
}

function reached({ server_version: version, latency_ms: latencyMs, warnings }: ConnectionTest): string[] {
  const facts = [version && `Redis ${version}`, latencyMs !== null && `${latencyMs} ms`].filter(Boolean);
  return [`It can serve${facts.length > 0 ? ` (${facts.join(', ')})` : ''}.`, ...warnings];
}

async function remove(api: Api, terminal: Terminal, name: string, { flush }: DeleteOptions): Promise<void> {
  const removed = await api.client.removeService({
    params: { name },
    query: flush ? { flush: 'true' } : {},
  });
  const rest = flush ? 'and its values' : 'its values stay';
  print(terminal, [api.isJson ? api.textOf(removed) : `Cache service ${name} is removed, ${rest}.`]);
}

async function definition(name: string, options: DefinitionOptions, terminal: Terminal): Promise<Body> {
  return { type: 'cache_redis', ...(await changes(options, terminal)), name };
}

/** What the options say, over what `--data` says. */
async function changes(options: DefinitionOptions, terminal: Terminal): Promise<Omit<Body, 'name' | 'type'>> {
  const { data, type, label, description, host, port, username, password, database, defaultTtl } = options;
  const given: unknown =
    data === undefined ? {} : (await readJsonArgument('--data', data, terminal)).toJSON();
  if (!isRecord(given)) throw misused('--data wants an object: {"type": "cache_redis", "config": {…}}');
  const secret = password && (await readArgument('--password', password, terminal)).replace(/\r?\n$/, '');
  const config = {
    ...(isRecord(given.config) && given.config),
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(username !== undefined && { username }),
    ...(secret !== undefined && { password: secret }),
    ...(database !== undefined && { database_index: database }),
    ...(defaultTtl !== undefined && { default_ttl: defaultTtl }),
  };
  return {
    ...given,
    ...(type !== undefined && { type }),
    ...(label !== undefined && { label }),
    ...(description !== undefined && { description }),
    config,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
