/**
 * This file owns Lua: a script is declared once with the names of its keys and arguments, checked against its own
 * header, and called by those names. ioredis sends EVALSHA and the source again after NOSCRIPT.
 */
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
  /** Adds the script to a pipeline; its reply comes with the pipeline's. */
  queue(client: RedisClient, pipeline: ChainableCommander, input: ScriptInput<K, A>): void;
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
export function defineScript<K extends string, A extends string>(declaration: ScriptDeclaration<K, A>): Script<K, A> {
  const { source, keys, args } = declaration;
  const lua = readFileSync(source, 'utf8');
  const name = `sluice_${source.pathname.split('/').pop()?.replace(/\.lua$/, '').replace(/\W/g, '_')}`;
  checkHeader(source, lua, 'KEYS', keys, declaration.moreKeys ?? false);
  checkHeader(source, lua, 'ARGV', args, declaration.moreArgs ?? false);
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
      (pipeline as unknown as Record<string, Command>)[name]?.(...flatten(input));
    },
  };
}

function checkHeader(source: URL, lua: string, list: 'KEYS' | 'ARGV', names: readonly string[], more: boolean): void {
  const written = [...lua.matchAll(new RegExp(`^-- ${list}\\[(\\d+|\\.\\.\\.)\\] (\\w+)`, 'gm'))].map((match) =>
    match[1] === '...' ? '...' : `${match[1]} ${match[2]}`,
  );
  const declared = [...names.map((name, index) => `${index + 1} ${name}`), ...(more ? ['...'] : [])];
  if (written.join() !== declared.join()) {
    throw new TypeError(`${source.pathname}: its header says ${list} ${written.join(', ')}; declared are ${declared.join(', ')}`);
  }
}
