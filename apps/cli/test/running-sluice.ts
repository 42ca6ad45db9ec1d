/** This file owns a running Sluice for the tests of a file - a Redis of its own, the API, a worker - and the command line that speaks to it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { KEY, OwnRedis, type Product, startProduct } from '../../../test/e2e/product.ts';
import { runProgram } from '../src/program.ts';
import type { Result } from './sluice.ts';

export interface RunningSluice {
  readonly product: Product;
  readonly redis: OwnRedis;
  /** Another, as it comes: whoever knows its address enters. */
  readonly openRedis: OwnRedis;
  /** SLUICE_URL and SLUICE_API_KEY. */
  readonly variables: Record<string, string>;
  /** The command line in this process; `input` is its standard input. */
  sluice(...args: string[]): Promise<Result>;
  sluiceWith(given: Given, ...args: string[]): Promise<Result>;
  /** Lines of a command's standard output, each read as JSON. */
  lines(...args: string[]): Promise<Record<string, unknown>[]>;
  /** A file that is gone after the tests. */
  file(text: string | Uint8Array): Promise<string>;
}

export interface Given {
  variables?: Record<string, string | undefined>;
  input?: readonly (string | Uint8Array)[];
  /** Somebody looks at standard error. */
  isWatched?: boolean;
}

/** To be called at the top of a test file; usable inside its tests. */
export function runningSluice(variables: Record<string, string> = {}): RunningSluice {
  const cleanUps: (() => Promise<void> | void)[] = [];
  const cleaner = { onTestFinished: (cleanUp: () => Promise<void> | void) => void cleanUps.push(cleanUp) };
  const held: { product?: Product; redis?: OwnRedis; openRedis?: OwnRedis; directory?: string } = {};

  beforeAll(async () => {
    held.directory = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
    held.redis = await OwnRedis.start(cleaner, []);
    held.openRedis = await OwnRedis.start(cleaner, [], []);
    held.product = await startProduct(cleaner, held.redis.url, variables);
  }, 120_000);
  afterAll(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
    await rm(held.directory as string, { recursive: true, force: true });
  });

  const environment = () => ({ SLUICE_URL: (held.product as Product).url, SLUICE_API_KEY: KEY });
  const sluice = (...args: string[]) => run(args, { variables: environment() });
  return {
    get product() {
      return held.product as Product;
    },
    get redis() {
      return held.redis as OwnRedis;
    },
    get openRedis() {
      return held.openRedis as OwnRedis;
    },
    get variables() {
      return environment();
    },
    sluice,
    sluiceWith: (given, ...args) =>
      run(args, { ...given, variables: { ...environment(), ...given.variables } }),
    async lines(...args) {
      const { stdout } = await sluice(...args);
      return linesOf(stdout);
    },
    async file(text) {
      const path = join(held.directory as string, `${randomBytes(6).toString('hex')}.ndjson`);
      await writeFile(path, text);
      return path;
    },
  };
}

export function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A queue of the test's own, from which no worker takes anything. */
export function unservedQueue(): string {
  return `pull-${randomBytes(6).toString('hex')}`;
}

/** A queue of the test's own, which the worker serves. */
export function servedQueue(): string {
  return `q-${randomBytes(6).toString('hex')}`;
}

export async function run(
  args: readonly string[],
  { variables = {}, input, isWatched = false }: Given = {},
): Promise<Result> {
  const written = { stdout: '', stderr: '' };
  const status = await runProgram(args, {
    variables,
    out: (text) => {
      written.stdout += text;
    },
    err: (text) => {
      written.stderr += text;
    },
    isWatched,
    ...(input && { stdin: bytesOf(input) }),
  });
  return { status, ...written };
}

async function* bytesOf(chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
