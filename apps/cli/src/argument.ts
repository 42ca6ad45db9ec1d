/** This file owns arguments that may stand elsewhere: `@file` in a file, `-` on standard input. */
import { open } from 'node:fs/promises';
import { JsonText } from '@sluice/runtime';
import { CommandFailure, EXIT_STATUS } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** Above what the API takes in one request, whatever it was told; below what fills a memory. */
const MAX_BYTES = 64 * 1_048_576;

/** The text that `given` stands for. `name` is the argument's, for the sentence that says what is wrong. */
export async function readArgument(name: string, given: string, terminal: Terminal): Promise<string> {
  if (given === '-') return decoded(name, await gathered(name, terminal.stdin ?? noBytes()));
  if (!given.startsWith('@')) return given;
  return decoded(name, await gathered(name, readBytes(name, given.slice(1))));
}

/** The same, of which the text must be JSON; it stays the text that it is. */
export async function readJsonArgument(name: string, given: string, terminal: Terminal): Promise<JsonText> {
  const text = (await readArgument(name, given, terminal)).trim();
  if (!isJson(text)) {
    throw misused(
      `${name} is not JSON. A text has quotes of its own ('"Ada"'); @file reads a file, - standard input.`,
    );
  }
  return new JsonText(text);
}

/** A file's bytes as they are read; throws in words when it cannot be. */
export async function* readBytes(name: string, path: string): AsyncGenerator<Uint8Array> {
  try {
    const file = await open(path);
    try {
      yield* file.createReadStream({ autoClose: false });
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code !== 'string') throw error;
    throw misused(`${name}: the file ${path} cannot be read (${code}).`);
  }
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // V8's message quotes the text, which may hold a secret.
    return false;
  }
}

export function misused(message: string): CommandFailure {
  return new CommandFailure(message, EXIT_STATUS.misused);
}

async function gathered(name: string, bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw misused(`${name} has more than ${MAX_BYTES / 1_048_576} MiB.`);
  }
  return Buffer.concat(chunks);
}

function decoded(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw misused(`${name} is not UTF-8.`);
  }
}

async function* noBytes(): AsyncGenerator<Uint8Array> {
  // Nothing comes.
}
