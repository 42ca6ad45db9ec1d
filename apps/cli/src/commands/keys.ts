/** This file owns `sluice keys`: making, listing, changing and revoking API keys. */
import { MAX_ROTATION_OVERLAP_SECONDS, SCOPE_VERBS } from '@sluice/access/schemas';
import { parseDuration } from '@sluice/runtime';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { misused, readJsonArgument } from '../argument.ts';
import { type DeskOptions, type KeyChange, type KeyView, type MintedView, withKeyDesk } from '../key-desk.ts';
import { print, printFacts, printTable, visible } from '../output.ts';
import { duration } from '../quantity.ts';
import type { Terminal } from '../terminal.ts';

interface CreateOptions extends DeskOptions {
  label: string;
  scope: string[];
  /** ISO 8601; null: never. */
  expires?: string | null;
  quota?: string;
}

interface UpdateOptions extends Partial<CreateOptions> {
  suspend?: true;
  restore?: true;
}

interface RotateOptions extends DeskOptions {
  /** Milliseconds. */
  overlap?: number;
}

const WHERE_HELP = `
Where: with --url at a running API, by its rules; without, straight in Redis, so that it works while nothing else runs.
SLUICE_URL alone changes nothing here.`;

const SCOPES_HELP = `${WHERE_HELP}

A scope is <area>:<verb>, optionally followed by a resource; * allows everything, board allows looking at the board.
${Object.entries(SCOPE_VERBS)
  .map(([area, verbs]) => `  ${area.padEnd(11)}${verbs.join(', ')}`)
  .join('\n')}

Examples
  npx sluice keys create --label shop --scope jobs:enqueue:mail --scope 'cache:read:redis/product:*'
  npx sluice keys create --label ops --scope '*' --expires 30d
  npx sluice keys create --label shop --scope 'jobs:*' --url https://sluice.example.com`;

export function addKeysCommand(program: Command, terminal: Terminal): void {
  const keys = program.command('keys').description('API keys: create, list, show, update, rotate, revoke');
  keys.addHelpText('after', WHERE_HELP);

  described(shared(keys.command('create').description('make a key and print it, once')))
    .addHelpText('after', SCOPES_HELP)
    .action((options: CreateOptions) => create(options, terminal));

  shared(keys.command('list').description('every key, the oldest first; never the key itself')).action(
    (options: DeskOptions) => list(options, terminal),
  );

  one(keys.command('show').description('one key: what it may do and use; never the key itself')).action(
    (id: string, options: DeskOptions) => show(id, options, terminal),
  );

  described(
    one(keys.command('update').description('change what the options name; obeyed within two seconds')),
  )
    .option('--suspend', 'it opens nothing until it is restored')
    .addOption(new Option('--restore', 'end a suspension').conflicts('suspend'))
    .action((id: string, options: UpdateOptions) => update(id, options, terminal));

  one(keys.command('rotate').description('make a new key in its place and print it, once'))
    .option('--overlap <time>', 'how long the old key goes on, 0s: not at all; default 1d', duration)
    .action((id: string, options: RotateOptions) => rotate(id, options, terminal));

  one(keys.command('revoke').description('end a key; running servers obey within two seconds')).action(
    (id: string, options: DeskOptions) => revoke(id, options, terminal),
  );
}

function shared(command: Command): Command {
  return command
    .option('--url <url>', 'a running API that is to do it; default: in Redis itself')
    .option('--key <key>', 'API key for --url; default SLUICE_API_KEY, which others cannot see')
    .option('--json', 'print JSON: one value, or one a line')
    .addOption(
      new Option(
        '--data-dir <path>',
        'where the secret and our own Redis live; default SLUICE_DATA_DIR, else .sluice',
      ).conflicts('url'),
    );
}

function one(command: Command): Command {
  return shared(command).argument('<id>', 'the 12 letters and digits that `keys list` shows');
}

/** The options that say what a key is; a new one has a label and scopes. */
function described(command: Command): Command {
  const isNew = command.name() === 'create';
  return command
    .addOption(new Option('--label <text>', 'whose key it is, for people').makeOptionMandatory(isNew))
    .addOption(new Option('--scope <scope...>', 'what it may do; repeat for more').makeOptionMandatory(isNew))
    .option(
      '--expires <when>',
      'after a duration (12h, 30d), at an instant (2027-01-31, ISO 8601), or never; default: never',
      readExpiry,
    )
    .option(
      '--quota <json>',
      'what it may use: {"requests": {"limit", "period"}, "backlog", "payload_bytes"}, @file, -, or null',
    );
}

async function create(options: CreateOptions, terminal: Terminal): Promise<void> {
  const { label, scope, expires = null } = options;
  const quota = await readQuota(options, terminal);
  const body = { label, scopes: scope, expires_at: expires, ...(quota !== undefined && { quota }) };
  const made = await withKeyDesk(options, terminal, (desk) => desk.create(body));
  const told = `Key ${made.id} for '${visible(made.label)}': ${made.scopes.join(' ')}, ${expiryOf(made)}.`;
  printMinted(made, options, terminal, told);
}

async function list(options: DeskOptions, terminal: Terminal): Promise<void> {
  const views = await withKeyDesk(options, terminal, (desk) => desk.list());
  if (options.json)
    return print(
      terminal,
      views.map((view) => JSON.stringify(view)),
    );
  const rows = views.map((view) => [
    view.id,
    stateOf(view),
    instant(view.created_at),
    instant(view.last_used_at),
    instant(view.expires_at),
    view.label,
    view.scopes.join(' '),
  ]);
  printTable(
    terminal,
    ['ID', 'STATE', 'CREATED', 'LAST USED', 'EXPIRES', 'LABEL', 'SCOPES'],
    rows,
    'No keys yet. `npx sluice up` makes the first, `npx sluice keys create` makes more.',
  );
}

async function show(id: string, options: DeskOptions, terminal: Terminal): Promise<void> {
  const view = await withKeyDesk(options, terminal, (desk) => desk.show(id));
  if (options.json) return print(terminal, [JSON.stringify(view)]);
  printFacts(terminal, [
    ['id', view.id],
    ['label', view.label],
    ['state', stateOf(view)],
    ['scopes', view.scopes.join(' ')],
    ['quota', view.quota && JSON.stringify(view.quota)],
    ['origin', view.origin],
    ['created', instant(view.created_at)],
    ['last used', instant(view.last_used_at)],
    ['expires', instant(view.expires_at)],
    ['revoked', view.revoked_at && instant(view.revoked_at)],
    ['replaced by', view.replaced_by],
    ['version', String(view.version)],
  ]);
}

async function update(id: string, options: UpdateOptions, terminal: Terminal): Promise<void> {
  const { label, scope, expires, suspend, restore } = options;
  const quota = await readQuota(options, terminal);
  const change: KeyChange = {
    ...(label !== undefined && { label }),
    ...(scope !== undefined && { scopes: scope }),
    ...(expires !== undefined && { expires_at: expires }),
    ...((suspend || restore) && { is_active: restore === true }),
    ...(quota !== undefined && { quota }),
  };
  if (Object.keys(change).length === 0)
    throw misused('Say what changes: --label, --scope, --expires, --quota, --suspend or --restore.');
  const view = await withKeyDesk(options, terminal, (desk) => desk.update(id, change));
  const sentence = `Key ${view.id} ('${visible(view.label)}') is changed: ${stateOf(view)}, ${expiryOf(view)}.`;
  print(terminal, [options.json ? JSON.stringify(view) : sentence]);
}

async function rotate(id: string, options: RotateOptions, terminal: Terminal): Promise<void> {
  const { overlap } = options;
  const overlapSeconds = overlap === undefined ? undefined : Math.ceil(overlap / 1_000);
  if (overlapSeconds !== undefined && overlapSeconds > MAX_ROTATION_OVERLAP_SECONDS)
    throw misused(`--overlap wants at most ${MAX_ROTATION_OVERLAP_SECONDS / 86_400}d.`);
  const made = await withKeyDesk(options, terminal, (desk) => desk.rotate(id, overlapSeconds));
  printMinted(made, options, terminal, `Key ${made.id} ('${visible(made.label)}') takes the place of ${id}.`);
}

async function revoke(id: string, options: DeskOptions, terminal: Terminal): Promise<void> {
  const view = await withKeyDesk(options, terminal, (desk) => desk.revoke(id));
  const sentence = `Key ${view.id} ('${visible(view.label)}') opens nothing any more.`;
  print(terminal, [options.json ? JSON.stringify(view) : sentence]);
}

function printMinted(made: MintedView, { json }: DeskOptions, terminal: Terminal, sentence: string): void {
  print(
    terminal,
    json ? [JSON.stringify(made)] : [sentence, 'It is shown here and never again:', '', made.key],
  );
}

/** `undefined`: nothing is said of it; `null`: none. */
async function readQuota(
  { quota }: { quota?: string },
  terminal: Terminal,
): Promise<KeyChange['quota'] | undefined> {
  if (quota === undefined) return undefined;
  const given: unknown = (await readJsonArgument('--quota', quota, terminal)).toJSON();
  if (typeof given !== 'object' || Array.isArray(given))
    throw misused('--quota wants an object: {"requests": {"limit": 100, "period": "day"}}, or null');
  return given as KeyChange['quota'];
}

/** ISO 8601; null: never. */
function readExpiry(text: string): string | null {
  if (text === 'never') return null;
  const durationMs = parseDuration(text);
  const at = durationMs === undefined ? instantOf(text) : Date.now() + durationMs;
  if (Number.isNaN(at))
    throw new InvalidArgumentError('wanted a duration such as 30d, an instant such as 2027-01-31, or never');
  return new Date(at).toISOString();
}

function instantOf(text: string): number {
  return /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
}

function stateOf({ revoked_at: revokedAt, expires_at: expiresAt, is_active: isActive }: KeyView): string {
  if (revokedAt !== null) return 'revoked';
  if (!isActive) return 'suspended';
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now() ? 'expired' : 'valid';
}

function expiryOf({ expires_at: expiresAt }: KeyView): string {
  return expiresAt === null ? 'until revoked' : `until ${instant(expiresAt)}`;
}

function instant(text: string | null): string {
  return text === null ? 'never' : text.replace(/:\d{2}\.\d{3}Z$/, 'Z');
}
