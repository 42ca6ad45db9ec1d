/** This file owns `sluice keys`: making, listing and revoking API keys, straight in Redis, so that it works while nothing else runs. */
import { type KeyRecord, KeyRing, SCOPE_VERBS } from '@sluice/access';
import { deriveSecret, loadMasterSecret, parseDuration } from '@sluice/runtime';
import { type Authorship, MAX_TRAIL_ENTRIES, systemKeys } from '@sluice/system';
import { type Command, InvalidArgumentError } from 'commander';
import { author } from '../author.ts';
import { readConfig } from '../config.ts';
import { withRedis } from '../redis.ts';
import { table } from '../table.ts';
import type { Terminal } from '../terminal.ts';

interface SharedOptions {
  json?: true;
  dataDir?: string;
}

interface CreateOptions extends SharedOptions {
  label: string;
  scope: string[];
  /** Milliseconds since the epoch. */
  expires?: number;
}

const SCOPES_HELP = `
A scope is <area>:<verb>, optionally followed by a resource; * allows everything, board allows looking at the board.
${Object.entries(SCOPE_VERBS)
  .map(([area, verbs]) => `  ${area.padEnd(11)}${verbs.join(', ')}`)
  .join('\n')}

Examples
  npx sluice keys create --label shop --scope jobs:enqueue:mail --scope 'cache:read:redis/product:*'
  npx sluice keys create --label ops --scope '*' --expires 30d`;

export function addKeysCommand(program: Command, terminal: Terminal): void {
  const keys = program.command('keys').description('API keys: create, list, revoke');

  shared(keys.command('create').description('make a key and print it, once'))
    .requiredOption('--label <text>', 'whose key it is, for people')
    .requiredOption('--scope <scope...>', 'what it may do; repeat for more')
    .option(
      '--expires <when>',
      'after a duration (12h, 30d) or at an instant (2027-01-31, ISO 8601); default: never',
      readExpiry,
    )
    .addHelpText('after', SCOPES_HELP)
    .action((options: CreateOptions) => create(options, terminal));

  shared(keys.command('list').description('every key, the oldest first; never the key itself')).action(
    (options: SharedOptions) => list(options, terminal),
  );

  shared(keys.command('revoke').description('end a key; running servers obey within two seconds'))
    .argument('<id>', 'the 12 letters and digits that `keys list` shows')
    .action((id: string, options: SharedOptions) => revoke(id, options, terminal));
}

function shared(command: Command): Command {
  return command
    .option('--json', 'print JSON')
    .option(
      '--data-dir <path>',
      'where the secret and our own Redis live; default SLUICE_DATA_DIR, else .sluice',
    );
}

async function create(options: CreateOptions, terminal: Terminal): Promise<void> {
  const { label, scope, expires } = options;
  const made = await withKeyRing(options, terminal, (keyRing) =>
    keyRing.create({ label, scopes: scope, expiresAt: expires ?? null }, by()),
  );
  if (options.json) return print(terminal, [JSON.stringify({ ...made.record, key: made.key })]);
  print(terminal, [
    `Key ${made.id} for '${made.record.label}': ${made.record.scopes.join(' ')}, ${expiryOf(made.record)}.`,
    'It is shown here and never again:',
    '',
    made.key,
  ]);
}

async function list(options: SharedOptions, terminal: Terminal): Promise<void> {
  const records = await withKeyRing(options, terminal, (keyRing) => keyRing.list());
  if (options.json) return print(terminal, [JSON.stringify(records)]);
  if (records.length === 0)
    return print(terminal, [
      'No keys yet. `npx sluice up` makes the first, `npx sluice keys create` makes more.',
    ]);
  const rows = records.map((record) => [
    record.id,
    stateOf(record),
    instant(record.createdAt),
    record.lastUsedAt === null ? 'never' : instant(record.lastUsedAt),
    record.expiresAt === null ? 'never' : instant(record.expiresAt),
    record.label,
    record.scopes.join(' '),
  ]);
  print(terminal, table(['ID', 'STATE', 'CREATED', 'LAST USED', 'EXPIRES', 'LABEL', 'SCOPES'], rows));
}

async function revoke(id: string, options: SharedOptions, terminal: Terminal): Promise<void> {
  const record = await withKeyRing(options, terminal, (keyRing) => keyRing.revoke(id, by()));
  const sentence = `Key ${record.id} ('${record.label}') opens nothing any more.`;
  print(terminal, [options.json ? JSON.stringify(record) : sentence]);
}

async function withKeyRing<T>(
  options: SharedOptions,
  terminal: Terminal,
  work: (keyRing: KeyRing) => Promise<T>,
): Promise<T> {
  const config = readConfig(terminal.variables, { dataDir: options.dataDir });
  const secret = await loadMasterSecret({
    value: config.masterSecret?.reveal(),
    directory: config.dataDirectory,
  });
  const pepper = deriveSecret(secret, 'api keys');
  return await withRedis(config, ({ client, keys }) => {
    const trail = { key: systemKeys(keys).trail, maxEntries: MAX_TRAIL_ENTRIES };
    return work(new KeyRing({ client, keys, pepper, trail }));
  });
}

function by(): Authorship {
  return { author: author(), requestId: null };
}

/** Milliseconds since the epoch. */
function readExpiry(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return Date.now() + durationMs;
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new InvalidArgumentError('wanted a duration such as 30d, or an instant such as 2027-01-31');
  return at;
}

function stateOf({ revokedAt, expiresAt, isActive }: KeyRecord): string {
  if (revokedAt !== null) return 'revoked';
  if (!isActive) return 'suspended';
  return expiresAt !== null && expiresAt <= Date.now() ? 'expired' : 'valid';
}

function expiryOf({ expiresAt }: KeyRecord): string {
  return expiresAt === null ? 'until revoked' : `until ${instant(expiresAt)}`;
}

function instant(at: number): string {
  return new Date(at).toISOString().replace(/:\d{2}\.\d{3}Z$/, 'Z');
}

function print(terminal: Terminal, lines: readonly string[]): void {
  terminal.out(`${lines.join('\n')}\n`);
}
