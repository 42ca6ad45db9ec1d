/** This file owns `sluice limits`: policies of a running API, what they say of a key, and forgetting what was charged to it. */
import type { Command } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { length, print, printFacts, printTable, resourceTexts, visible } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { addPolicyCommands } from './limit-policies.ts';

const HELP = `
A policy that counts by several things (by: key, queue) has a key of as many parts, in their order.

Examples
  sluice limits
  sluice limits show mail
  sluice limits show mail customer-7
  sluice limits reset writes k_1 orders
  sluice limits create mail --algorithm sliding --limit 100 --period hour
  sluice limits update mail --limit 200
  sluice limits delete mail`;

/** What of a policy is told, in this order; the rest stands in its JSON. */
const FACTS = [
  'name',
  'algorithm',
  'limit',
  'period',
  'burst',
  'lease',
  'by',
  'match',
  'overrides',
  'shadow',
  'block',
  'prepay',
  'away',
  'origin',
] as const;

type Policy = Awaited<ReturnType<Api['client']['getPolicy']>>;

export function addLimitsCommand(program: Command, terminal: Terminal): void {
  const limits = program
    .command('limits')
    .description('rate limits: policies, what is left of one, make, change, reset');
  limits.addHelpText('after', HELP);

  speaksToApi(limits.command('list', { isDefault: true }).description('every policy (default)')).action(
    (options: ApiOptions) => withApi(options, terminal, (api) => list(api, terminal)),
  );

  speaksToApi(limits.command('show').description('a policy, or with a key what the key has left'))
    .argument('<policy>', 'its name')
    .argument('[key...]', 'the key it counts for; asking costs nothing')
    .action((policy: string, key: string[], options: ApiOptions) =>
      withApi(options, terminal, (api) =>
        key.length === 0 ? show(api, terminal, policy) : showQuota(api, terminal, policy, key),
      ),
    );

  speaksToApi(limits.command('reset').description('forget what was charged to a key, its leases and blocks'))
    .argument('<policy>', 'its name')
    .argument('<key...>', 'the key it counts for')
    .action((policy: string, key: string[], options: ApiOptions) =>
      withApi(options, terminal, (api) => reset(api, terminal, policy, key)),
    );

  addPolicyCommands(limits, terminal);
}

async function list(api: Api, terminal: Terminal): Promise<void> {
  const policies = await api.client.listPolicies();
  if (api.isJson) return print(terminal, resourceTexts(api.textOf(policies)));
  const rows = policies.resource.map((policy) => [
    policy.name,
    textOf(policy.algorithm ?? 'gcra'),
    textOf(policy.limit),
    policy.period === undefined ? textOf(policy.lease ?? '-') : textOf(policy.period),
    policy.by === undefined ? 'who asks' : textOf(policy.by),
    policy.origin,
  ]);
  const headings = ['POLICY', 'ALGORITHM', 'LIMIT', 'PERIOD', 'BY', 'ORIGIN'];
  printTable(
    terminal,
    headings,
    rows,
    'No policies. One is made by: sluice limits create <policy> --limit 100 --period hour',
  );
}

async function show(api: Api, terminal: Terminal, name: string): Promise<void> {
  const policy = await api.client.getPolicy({ params: { name } });
  if (api.isJson) return print(terminal, [api.textOf(policy)]);
  printFacts(
    terminal,
    FACTS.map((fact) => [fact, told(policy, fact)]),
  );
}

async function showQuota(api: Api, terminal: Terminal, policy: string, key: string[]): Promise<void> {
  const quota = await api.client.peekLimit({ params: { policy }, query: { key } });
  if (api.isJson) return print(terminal, [api.textOf(quota)]);
  const { retry_after_ms: retryAfterMs, reset_after_ms: resetAfterMs } = quota;
  printFacts(terminal, [
    ['policy', quota.policy],
    ['key', key.join(' ')],
    ['next', quota.allowed ? 'allowed' : 'refused'],
    ['limit', quota.limit === null ? 'none' : String(quota.limit)],
    ['remaining', quota.remaining === null ? 'not known' : String(quota.remaining)],
    ['allowed in', retryAfterMs === null ? 'never' : retryAfterMs === 0 ? null : length(retryAfterMs)],
    ['all of it in', resetAfterMs === 0 ? null : length(resetAfterMs)],
    ['decided by', quota.decided_by === 'redis' ? null : `${quota.decided_by}, because Redis is away`],
  ]);
}

async function reset(api: Api, terminal: Terminal, policy: string, key: string[]): Promise<void> {
  const done = await api.client.resetLimit({ params: { policy }, query: { key } });
  const sentence = `Policy ${policy} has forgotten ${visible(key.join(' '))}; processes may refuse it for 5 s more.`;
  print(terminal, [api.isJson ? api.textOf(done) : sentence]);
}

function told(policy: Policy, fact: (typeof FACTS)[number]): string | null {
  const value = policy[fact];
  const isEmpty = value === undefined || value === null || JSON.stringify(value) === '[]';
  return isEmpty ? null : textOf(value);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value.join(', ');
  return JSON.stringify(value) ?? '-';
}
