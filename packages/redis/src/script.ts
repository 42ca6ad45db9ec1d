/**
 * This file owns Lua: a script is declared once with the names of its keys and arguments, checked against its own
 * header, and called by those names. ioredis sends EVALSHA and the source again after NOSCRIPT.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ChainableCommander, Cluster, Redis } from 'ioredis';
import type { RedisClient } from './connect.ts';

export type ScriptValue = string | number | Buffer;

export interface ScriptInput<K extends string, A extends string> {
  keys: Readonly<Record<K, string>>;
  args: Readonly<Record<A, ScriptValue>>;
  /** Keys after the named ones, for a script that declares `moreKeys`; all in the same hash slot. */
  moreKeys?: readonly string[];
  /** Arguments after the named ones, for a script that declares `moreArgs`. */
  moreArgs?: readonly ScriptValue[];
}

export interface ScriptDeclaration<K extends string, A extends string> {
  /** The `.lua` file, as `new URL('./lua/take.lua', import.meta.url)`. */
  source: URL;
  /** Files put before the source, in order: functions that it calls. Their headers are not checked. */
  parts?: readonly URL[];
  keys: readonly K[];
  args: readonly A[];
  moreKeys?: boolean;
  moreArgs?: boolean;
}

export interface Script<K extends string, A extends string> {
  readonly name: string;
  readonly lua: string;
  /** Runs the script; the reply is what Lua returned, for the caller to decode. Rejects as ioredis does. */
  run(client: RedisClient, input: ScriptInput<K, A>): Promise<unknown>;
  /**
   * Adds the script to a pipeline; its reply comes with the pipeline's. When Redis has forgotten the script (SCRIPT
   * FLUSH, once a connection), it runs after the rest of the pipeline instead of in its turn.
   */
  queue(client: RedisClient, pipeline: ChainableCommander, input: ScriptInput<K, A>): void;
  /** The same with the whole source, for a script that must run in its turn: never after what follows it. */
  queueInTurn(pipeline: ChainableCommander, input: ScriptInput<K, A>): void;
}

type Command = (...args: ScriptValue[]) => Promise<unknown>;

/**
 * Declares a script. Throws `TypeError` at once when the file's header names other keys or arguments, in another order:
 *
 * ```lua
 * -- Takes tokens from a bucket.
 * -- KEYS[1] bucket    hash, expires when full again
 * -- ARGV[1] cost      tokens, 0 to look
 * -- ARGV[...] rest    what `moreArgs` holds
 * ```
 */
export function defineScript<K extends string, A extends string>(
  declaration: ScriptDeclaration<K, A>,
): Script<K, A> {
  const { source, parts = [], keys, args } = declaration;
  const main = readFileSync(source, 'utf8');
  const lua = [...parts.map((part) => readFileSync(part, 'utf8')), main].join('\n');
  const name = commandName(source, lua);
  checkHeader(source, main, 'KEYS', keys, declaration.moreKeys ?? false);
  checkHeader(source, main, 'ARGV', args, declaration.moreArgs ?? false);
  const defined = new WeakSet<RedisClient>();

  const flatten = (input: ScriptInput<K, A>): ScriptValue[] => {
    const moreKeys = input.moreKeys ?? [];
    const flat: ScriptValue[] = [keys.length + moreKeys.length];
    for (const key of keys) flat.push(input.keys[key]);
    for (const key of moreKeys) flat.push(key);
    for (const arg of args) flat.push(input.args[arg]);
    if (input.moreArgs) for (const arg of input.moreArgs) flat.push(arg);
    return flat;
  };
  const define = (client: RedisClient) => {
    if (defined.has(client)) return;
    (client as Redis | Cluster).defineCommand(name, { lua });
    defined.add(client);
  };

  return {
    name,
    lua,
    run(client, input) {
      define(client);
      return (client as unknown as Record<string, Command>)[name]?.(...flatten(input)) as Promise<unknown>;
    },
    queue(client, pipeline, input) {
      define(client);
      const commands = pipeline as unknown as Record<string, Command | undefined> &
        Pick<Redis, 'defineCommand'>;
      // ioredis: a pipeline knows the scripts that its client knew when it was made.
      if (!commands[name]) commands.defineCommand(name, { lua });
      // A pipeline's commands answer through its exec.
      void commands[name]?.(...flatten(input));
    },
    queueInTurn(pipeline, input) {
      const [keyCount, ...rest] = flatten(input);
      void pipeline.eval(lua, keyCount as number, ...rest);
    },
  };
}

/** One for each text: files of the same name in two packages are two commands of one client. */
function commandName(source: URL, lua: string): string {
  const file = source.pathname.split('/').pop() ?? '';
  const digest = createHash('sha1').update(lua).digest('hex').slice(0, 12);
  return `sluice_${file.replace(/\.lua$/, '').replace(/\W/g, '_')}_${digest}`;
}

function checkHeader(
  source: URL,
  lua: string,
  list: 'KEYS' | 'ARGV',
  names: readonly string[],
  more: boolean,
): void {
  const written = [...lua.matchAll(new RegExp(`^-- ${list}\\[(\\d+|\\.\\.\\.)\\] (\\w+)`, 'gm'))].map(
    (match) => (match[1] === '...' ? '...' : `${match[1]} ${match[2]}`),
  );
  const declared = [...names.map((name, index) => `${index + 1} ${name}`), ...(more ? ['...'] : [])];
  if (written.join() !== declared.join()) {
    throw new TypeError(
      `${source.pathname}: its header says ${list} ${written.join(', ')}; declared are ${declared.join(', ')}`,
    );
  }
}
