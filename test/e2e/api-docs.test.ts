import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type RouteDeclaration, routes } from '@sluice/contract';
import { describe, expect, it } from 'vitest';
import {
  type AnyExample,
  type Sample,
  statusOf,
  variablesOf,
  withValues,
} from '../../packages/contract/src/example.ts';
import { exampleOf, examples } from '../../packages/contract/src/examples/index.ts';
import { variableOf } from '../../packages/contract/src/examples/variables.ts';
import { codeSamplesOf } from '../../packages/contract/src/samples/index.ts';
import { requestOf } from '../../packages/contract/src/samples/request.ts';
import { differences } from './answer-shape.ts';
import { type Cleaner, KEY, OwnRedis, type Product, startProduct, until } from './product.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
/** A stream is left after so long. */
const STREAM_SECONDS = '2';

const declarations: Readonly<Record<string, RouteDeclaration>> = routes;

/** In the order of their story; what deletes comes when all else is done, in reverse. */
const story: readonly Sample[] = storyOf(Object.keys(examples).map((id) => sampleOf(id)));

/** What these tell is of the whole installation, so that their members depend on what else is there. */
const OF_EVERYTHING = [
  'cacheSpec',
  'cacheStats',
  'listAlertStates',
  'listPolicies',
  'listServices',
  'readTrail',
];

function storyOf(samples: Sample[]): Sample[] {
  return [
    ...samples.filter((sample) => !isRemoval(sample)),
    ...samples.filter((sample) => isRemoval(sample)).reverse(),
  ];
}

function isRemoval({ declaration }: Sample): boolean {
  return declaration.method === 'delete' || declaration.id === 'obliterateQueue';
}

function sampleOf(id: string, change: AnyExample = {}): Sample {
  const declaration = declarations[id] as RouteDeclaration;
  const { params, ...example } = exampleOf(id) ?? {};
  return { declaration, example: { ...example, ...change, params: { ...params, ...change.params } } };
}

function withSamples(reply: unknown): unknown {
  return withValues(reply, (name) => variableOf(name).sample);
}

function sourceOf(sample: Sample, label: string): string {
  return codeSamplesOf(sample).find((each) => each.label === label)?.source as string;
}

interface Answer {
  status: number;
  text: string;
}

class Shell {
  readonly #env: Record<string, string>;

  constructor(product: Product) {
    this.#env = {
      PATH: process.env.PATH ?? '',
      HOME: product.directory,
      SLUICE_URL: product.url,
      SLUICE_API_KEY: KEY,
    };
  }

  /** The environment that this sample wants: each variable is made anew, by the calls that lead to it. */
  async environmentOf({ example }: Sample): Promise<Record<string, string>> {
    const { params, query, headers, body } = example;
    const names = variablesOf({ params, query, headers, body });
    const values = await Promise.all(names.map(async (name) => [name, await this.#make(name)]));
    return { ...this.#env, ...Object.fromEntries(values) };
  }

  async #make(name: string): Promise<string> {
    const { calls, member } = variableOf(name);
    let answer: unknown;
    for (const { route, example } of calls) {
      answer = JSON.parse((await this.curl(sampleOf(route, example))).text);
    }
    const value = member.reduce<unknown>((part, step) => (part as Record<string, unknown>)?.[step], answer);
    if (typeof value !== 'string') throw new Error(`$${name} is not in ${JSON.stringify(answer)}`);
    return value;
  }

  /** Runs its curl sample to the letter, but for what shows the status and leaves a stream. */
  async curl(sample: Sample): Promise<Answer> {
    const isStream = requestOf(sample).answers === 'stream';
    const options = ['-sS', '-w', "'\\n%{http_code}'", ...(isStream ? ['--max-time', STREAM_SECONDS] : [])];
    const source = sourceOf(sample, 'curl').replace('curl ', `curl ${options.join(' ')} `);
    const env = await this.environmentOf(sample);
    const { stdout } = await run('bash', ['-c', source], { env }).catch((error: unknown) => {
      // 28: the time is up, which is how a stream is left.
      if (isStream && (error as { code?: number }).code === 28) return error as { stdout: string };
      throw error;
    });
    const end = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
  }
}

async function setup(t: Cleaner) {
  const redis = await OwnRedis.start(t);
  const product = await startProduct(t, redis.url);
  await until(async () => (await product.call('/queues')).ok || undefined);
  return { product, shell: new Shell(product) };
}

async function folder(t: Cleaner): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-samples-'));
  t.onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  await writeFile(join(directory, 'package.json'), '{"type": "module"}');
  return directory;
}

describe('the samples of the API docs', () => {
  it('in curl all work, in order, and are answered as they say', { timeout: 180_000 }, async (t) => {
    const { shell } = await setup(t);
    const faults: string[] = [];

    for (const sample of story) {
      const { id } = sample.declaration;
      const { status, text } = await shell.curl(sample);
      if (status !== statusOf(sample)) {
        faults.push(`${id}: ${status}, not ${statusOf(sample)}: ${text}`);
        continue;
      }
      const { reply } = sample.example;
      if (requestOf(sample).answers === 'json' && !OF_EVERYTHING.includes(id)) {
        faults.push(...differences(withSamples(reply), JSON.parse(text), id));
      }
      if (requestOf(sample).answers === 'stream' && !/^(id|event|data): /m.test(text)) {
        faults.push(`${id}: no event in ${JSON.stringify(text)}`);
      }
    }

    expect(faults).toEqual([]);
  });

  it('in TypeScript all are right for the compiler', { timeout: 120_000 }, async (t) => {
    const directory = await folder(t);
    for (const sample of story) {
      const source = sourceOf(sample, 'TypeScript');
      await writeFile(join(directory, `${sample.declaration.id}.ts`), `${source}export {};\n`);
    }
    const config = {
      extends: join(ROOT, 'tsconfig.base.json'),
      compilerOptions: {
        noEmit: true,
        composite: false,
        incremental: false,
        isolatedDeclarations: false,
        declaration: false,
        declarationMap: false,
        customConditions: ['@sluice/source'],
        types: ['node'],
        typeRoots: [join(ROOT, 'node_modules/@types')],
      },
      include: ['*.ts'],
    };
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config));

    const compiled = await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', directory]).catch(
      (error: { stdout: string }) => error,
    );

    expect(compiled.stdout).toBe('');
  });

  it('in TypeScript and Python work for one route of each area', { timeout: 180_000 }, async (t) => {
    const { shell } = await setup(t);
    const directory = await folder(t);
    const areas = new Map<string, Sample>();
    for (const sample of story) {
      if (requestOf(sample).answers !== 'stream' && !areas.has(sample.declaration.tag))
        areas.set(sample.declaration.tag, sample);
    }
    // The policy that limits are asked of.
    await shell.curl(sampleOf('createPolicies'));

    for (const [tag, sample] of areas) {
      const { id, method } = sample.declaration;
      const isOnce = method === 'post' && sample.declaration.tag === 'system';
      if (isOnce) await shell.curl(sampleOf('removeService'));
      const env = await shell.environmentOf(sample);
      await writeFile(join(directory, `${id}.mjs`), sourceOf(sample, 'TypeScript'));
      await writeFile(join(directory, `${id}.py`), sourceOf(sample, 'Python'));

      const node = await run(process.execPath, [join(directory, `${id}.mjs`)], { env });
      if (isOnce) await shell.curl(sampleOf('removeService'));
      const python = await run('python3', [join(directory, `${id}.py`)], { env });

      expect({ tag, id, typescript: node.stdout, python: python.stdout }).toEqual({
        tag,
        id,
        typescript: expect.stringMatching(/./),
        python: expect.stringMatching(/./),
      });
    }
  });
});
