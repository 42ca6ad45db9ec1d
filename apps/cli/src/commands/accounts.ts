/** This file owns `sluice accounts`: who signs in to the console by name, straight in Redis, so that it works while nothing else runs. */
import { randomBytes } from 'node:crypto';
import {
  ACCOUNT_ROLES,
  type AccountBody,
  type AccountRole,
  Book,
  newAccount,
  passwordFault,
  Registry,
  recordedAccounts,
  sealPassword,
} from '@sluice/system';
import { type Command, Option } from 'commander';
import { author } from '../author.ts';
import { readConfig } from '../config.ts';
import { CommandFailure } from '../failure.ts';
import { withRedis } from '../redis.ts';
import { table } from '../table.ts';
import type { Terminal } from '../terminal.ts';

interface SharedOptions {
  json?: true;
  dataDir?: string;
}

interface AddOptions extends SharedOptions {
  role: AccountRole;
  passwordStdin?: true;
}

interface SetOptions extends SharedOptions {
  role?: AccountRole;
  newPassword?: true;
  passwordStdin?: true;
  suspend?: true;
  restore?: true;
}

const ROLES_HELP = `
Roles
  viewer    looks at queues, jobs (redacted) and figures
  operator  acts on queues, jobs, caches and sessions, and looks at everything
  admin     makes services, keys and accounts as well

Examples
  npx sluice accounts add ada --role admin
  pass show sluice | npx sluice accounts add ada --role operator --password-stdin`;

/** 144 bits. */
const GENERATED_PASSWORD_BYTES = 18;
const MAX_STDIN_CHARACTERS = 4_096;

export function addAccountsCommand(program: Command, terminal: Terminal): void {
  const accounts = program
    .command('accounts')
    .description('who signs in to the console: add, list, set, remove');

  shared(accounts.command('add').description('make an account; its password is printed, once'))
    .argument('<name>', 'small letters, digits and . _ @ -')
    .addOption(roleOption().makeOptionMandatory())
    .option('--password-stdin', 'take the password from the first line of standard input')
    .addHelpText('after', ROLES_HELP)
    .action((name: string, options: AddOptions) => add(name, options, terminal));

  shared(accounts.command('list').description('every account, by name')).action((options: SharedOptions) =>
    list(options, terminal),
  );

  shared(accounts.command('set').description('change an account; another password ends its sessions'))
    .argument('<name>', 'of the account')
    .addOption(roleOption())
    .option('--new-password', 'generate a password and print it, once')
    .option('--password-stdin', 'take the password from the first line of standard input')
    .option('--suspend', 'it opens nothing until it is restored')
    .option('--restore', 'end a suspension')
    .action((name: string, options: SetOptions) => set(name, options, terminal));

  shared(accounts.command('remove').description('remove an account, which ends its sessions'))
    .argument('<name>', 'of the account')
    .action((name: string, options: SharedOptions) => remove(name, options, terminal));
}

function roleOption(): Option {
  return new Option('--role <role>', 'what it may do').choices(ACCOUNT_ROLES);
}

function shared(command: Command): Command {
  return command
    .option('--json', 'print JSON')
    .option(
      '--data-dir <path>',
      'where the secret and our own Redis live; default SLUICE_DATA_DIR, else .sluice',
    );
}

async function add(name: string, options: AddOptions, terminal: Terminal): Promise<void> {
  const { role, passwordStdin, json } = options;
  const given = passwordStdin ? await readPassword(terminal) : undefined;
  const password = given ?? generatePassword();
  await withBook(options, terminal, async ({ book }) => {
    const outcome = await book.create([await newAccount({ name, role, password })], by());
    if ('errors' in outcome) throw outcome.errors[0];
  });
  const told = given === undefined ? password : undefined;
  if (json) return print(terminal, [JSON.stringify({ name, role, ...(told && { password: told }) })]);
  print(terminal, [`Account '${name}' may sign in to the console as ${role}.`, ...passwordLines(told)]);
}

async function list(options: SharedOptions, terminal: Terminal): Promise<void> {
  const records = await withBook(options, terminal, async ({ registry }) => {
    await registry.refresh();
    return registry.list('account').map(({ body, createdAt, changedAt }) => {
      const { name, role, isActive } = body as AccountBody;
      return { name, role, isActive, createdAt, changedAt };
    });
  });
  if (options.json) return print(terminal, [JSON.stringify(records)]);
  if (records.length === 0)
    return print(terminal, ['No accounts yet. `npx sluice accounts add <name> --role admin` makes one.']);
  const rows = records.map(({ name, role, isActive, createdAt, changedAt }) => [
    name,
    role,
    isActive ? 'active' : 'suspended',
    new Date(createdAt).toISOString(),
    new Date(changedAt).toISOString(),
  ]);
  print(terminal, table(['NAME', 'ROLE', 'STATE', 'CREATED', 'CHANGED'], rows));
}

async function set(name: string, options: SetOptions, terminal: Terminal): Promise<void> {
  const { role, newPassword, passwordStdin, suspend, restore, json } = options;
  if (suspend && restore) throw new CommandFailure('An account is suspended or restored, not both.');
  const given = passwordStdin ? await readPassword(terminal) : undefined;
  const generated = newPassword && given === undefined ? generatePassword() : undefined;
  const password = given ?? generated;
  const patch: Partial<AccountBody> = {
    ...(role && { role }),
    ...((suspend || restore) && { isActive: restore === true }),
    ...(password !== undefined && { password: await sealPassword(password) }),
  };
  if (Object.keys(patch).length === 0) throw new CommandFailure('Nothing to change was named; see --help.');
  await withBook(options, terminal, ({ book }) => book.update(name, (body) => ({ ...body, ...patch }), by()));
  if (json) return print(terminal, [JSON.stringify({ name, ...(generated && { password: generated }) })]);
  print(terminal, [`Account '${name}' is changed.`, ...passwordLines(generated)]);
}

async function remove(name: string, options: SharedOptions, terminal: Terminal): Promise<void> {
  await withBook(options, terminal, ({ book }) => book.remove(name, by()));
  print(terminal, [options.json ? JSON.stringify({ name, removed: true }) : `Account '${name}' is gone.`]);
}

async function withBook<T>(
  options: SharedOptions,
  terminal: Terminal,
  work: (at: { book: Book<AccountBody>; registry: Registry }) => Promise<T>,
): Promise<T> {
  const config = readConfig(terminal.variables, { dataDir: options.dataDir });
  return await withRedis(config, ({ client, keys }) => {
    const registry = new Registry({ client, keys });
    const book = new Book({ registry, recorded: recordedAccounts(), configured: [] });
    return work({ book, registry });
  });
}

function by() {
  return { author: author(), requestId: null };
}

function generatePassword(): string {
  return randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url');
}

/** Throws when standard input holds no password. */
async function readPassword({ stdin = [] as never }: Terminal): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.includes('\n') || text.length > MAX_STDIN_CHARACTERS) break;
  }
  const password = text.split('\n', 1)[0]?.replace(/\r$/, '') ?? '';
  const fault = passwordFault(password);
  if (fault !== undefined) throw new CommandFailure(fault);
  return password;
}

function passwordLines(password: string | undefined): string[] {
  return password === undefined ? [] : ['Its password is shown here and never again:', '', password];
}

function print(terminal: Terminal, lines: readonly string[]): void {
  terminal.out(`${lines.join('\n')}\n`);
}
