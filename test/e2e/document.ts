/** This file owns pages whose commands run: their fenced blocks, what a command is told to answer, and a product to run them on. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { routes } from '@sluice/contract';
import { differences } from './answer-shape.ts';
import { type Cleaner, KEY, OwnRedis, type Product, startProduct, until } from './product.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

/**
 * Goes before a page's commands: every failure ends the run, an HTTP error is one, and each answer is kept in a file
 * of its own. A stream is left after `--max-time`, which curl calls error 28.
 */
const STRICT = `set -euo pipefail
curl() {
  local status=0 file
  file=$(printf '%s/%04d' "$ANSWERS" "$(ls "$ANSWERS" | wc -l)")
  command curl -sS --fail-with-body -o "$file" "$@" || status=$?
  [[ $status = 28 && " $* " = *" --max-time "* ]] && status=0
  [[ $status = 0 ]] || echo "failed ($status): curl $*: $(cat "$file")" >&2
  cat "$file"
  return $status
}
`;

/** What stands in the fenced blocks with this word behind the fence, in order. */
export function blocks(text: string, word: string): string[] {
  return [...text.matchAll(/^```(.+)\n([\s\S]*?)^```/gm)]
    .filter(([, info]) => info === word)
    .map(([, , block]) => block as string);
}

interface Step {
  /** From its call of curl to the next. */
  command: string;
  /** What the comment below says it answers; `undefined` without one. */
  told: unknown;
}

function stepsOf(commands: string): Step[] {
  return commands
    .split(/(?=\bcurl )/)
    .slice(1)
    .map((command) => {
      const comment = [...command.matchAll(/^# (.*)$/gm)].map(([, line]) => line).join(' ');
      return {
        command,
        told: comment === '' ? undefined : JSON.parse(comment.replaceAll('...', '"...": 0')),
      };
    });
}

export interface Replay {
  product: Product;
  /** Where an answer was not as the page tells it. */
  faults: string[];
  /** Answers of the page's streams. */
  streams: string[];
}

/**
 * Runs the page's `sh guide` blocks from top to bottom on a product of their own, on a Redis of its own unless `redis`
 * says where one is. Rejects when a command fails.
 */
export async function replay(
  t: Cleaner,
  text: string,
  redis?: Readonly<Record<string, string>>,
): Promise<Replay> {
  const { product, answers, readAnswers } = await setup(t, text, redis);
  const commands = blocks(text, 'sh guide').join('\n');
  await run('bash', ['-c', `${STRICT}${commands}`], {
    env: { ...process.env, SLUICE: product.url, KEY, ANSWERS: answers },
    maxBuffer: 16 * 1024 * 1024,
  });
  const steps = stepsOf(commands);
  const given = await readAnswers();
  if (given.length !== steps.length) throw new Error(`${steps.length} commands, ${given.length} answers`);
  return {
    product,
    faults: steps.flatMap(({ command, told }, at) =>
      told === undefined ? [] : differences(told, JSON.parse(given[at] as string), command.split('\n')[0]),
    ),
    streams: steps.flatMap(({ command }, at) => (command.includes(' -N ') ? [given[at] as string] : [])),
  };
}

async function setup(t: Cleaner, text: string, place: Readonly<Record<string, string>> | undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-guide-'));
  t.onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const answers = join(directory, 'answers');
  const config = join(directory, 'sluice.config.json');
  await mkdir(answers);
  await writeFile(config, blocks(text, 'json sluice.config.json').join('') || '{"limits": []}');
  const redis = place ?? { REDIS_URL: (await OwnRedis.start(t)).url };
  // Probes that succeed are logged at `debug`.
  const product = await startProduct(t, redis, { SLUICE_CONFIG: config, LOG_LEVEL: 'debug' });
  // The API listens a little before it has made its first key.
  await until(async () => (await product.call('/queues')).ok || undefined);
  const readAnswers = async () => {
    const files = (await readdir(answers)).sort();
    return await Promise.all(files.map((file) => readFile(join(answers, file), 'utf8')));
  };
  return { product, answers, readAnswers };
}

export async function httpGuide(): Promise<string> {
  return await readFile(join(ROOT, 'docs/http-guide.md'), 'utf8');
}

/** Ids of the routes that this API has not answered with success, by its log. */
export function unservedRoutes({ api }: Product): string[] {
  const lines = api.output.split('\n').filter((line) => line.startsWith('{'));
  const requests = lines.map((line) => JSON.parse(line) as { msg?: string; route?: string; status?: number });
  const served = new Set(
    requests.flatMap(({ msg, route, status = 500 }) => (msg === 'request' && status < 300 ? [route] : [])),
  );
  return Object.keys(routes).filter((id) => !served.has(id));
}
