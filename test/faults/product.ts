/** This file owns the product under fault: API and worker processes as they run in production, each with its log in a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Cleaner, freePort, KEY, until } from '../e2e/product.ts';
import { LEASED_QUEUE } from './kinds.ts';
import type { Sink } from './sink.ts';

const ROOT = join(import.meta.dirname, '../..');
const START_MS = 60_000;

export interface ProductOptions {
  folder: string;
  variables: Readonly<Record<string, string>>;
  apis: number;
  workers: number;
  /** Workers over HTTP, for `pull-work`. Default none. */
  outsiders?: number | undefined;
  sink: Pick<Sink, 'port' | 'url'>;
  /** Modules that the workers load first; for faults from within. */
  workerImports?: readonly string[] | undefined;
}

/** One process of ours, replaced by another of its kind when it is killed. */
export class Replica {
  readonly name: string;
  /** Of its HTTP server, the same for each that takes its place; 0: it has none. */
  readonly port: number;
  /** Times it ended without having been told to. */
  crashes = 0;
  readonly #command: readonly string[];
  readonly #variables: NodeJS.ProcessEnv;
  readonly #logPath: string;
  #child: ChildProcess | undefined;
  #isTold = false;

  constructor(options: {
    name: string;
    port: number;
    command: string[];
    variables: NodeJS.ProcessEnv;
    logPath: string;
  }) {
    this.name = options.name;
    this.port = options.port;
    this.#command = options.command;
    this.#variables = options.variables;
    this.#logPath = options.logPath;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Does not wait until it serves. */
  start(): void {
    const log = openSync(this.#logPath, 'a');
    const child = spawn(process.execPath, this.#command, {
      env: this.#variables,
      cwd: ROOT,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#isTold = false;
    this.#child = child;
    child.once('exit', () => {
      if (!this.#isTold) this.crashes += 1;
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Resolves with its exit status when it has ended. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    this.#isTold = true;
    const child = this.#child;
    if (!child || !this.isRunning) return child?.exitCode ?? null;
    const exit = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await exit)[0];
  }

  async untilAnswers(path: '/livez' | '/readyz', timeoutMs = START_MS): Promise<void> {
    await until(
      async () => {
        if (!this.isRunning) throw new Error(`${this.name} ended as it started; its log is ${this.#logPath}`);
        return (await statusOf(`${this.url}${path}`)) === 200 ? true : undefined;
      },
      timeoutMs,
      25,
    );
  }
}

export class Product {
  readonly apis: readonly Replica[];
  readonly workers: readonly Replica[];
  readonly outsiders: readonly Replica[];

  private constructor({ apis, workers, outsiders }: Pick<Product, 'apis' | 'workers' | 'outsiders'>) {
    this.apis = apis;
    this.workers = workers;
    this.outsiders = outsiders;
  }

  /** Starts nothing yet. */
  static async prepare(t: Cleaner, options: ProductOptions): Promise<Product> {
    await build();
    const { folder, variables, sink, workerImports = [] } = options;
    mkdirSync(folder, { recursive: true });
    const shared = {
      ...{ PATH: process.env.PATH, HOME: folder, SLUICE_DATA_DIR: join(folder, 'data') },
      ...{ SLUICE_API_KEY: KEY, SLUICE_SECRET: 's'.repeat(40), CACHE_DRIVER: 'redis' },
      ...{ API_LIMIT_PER_KEY: 'off', API_LIMIT_PER_ADDRESS: 'off', LOG_LEVEL: 'warn', ACCESS_LOG: 'errors' },
      ...{ EGRESS_ALLOW: '127.0.0.1', EGRESS_PORTS: String(sink.port) },
      WORKER_PROCESSORS: join(import.meta.dirname, 'processors'),
    };
    const imports = workerImports.flatMap((module) => ['--import', module]);
    const replica = async (app: 'api' | 'worker', index: number) => {
      const name = `${app}-${index + 1}`;
      const port = await freePort();
      const own = app === 'api' ? { PORT: String(port) } : { WORKER_HEALTH_PORT: String(port) };
      return new Replica({
        ...{ name, port, logPath: join(folder, `${name}.log`) },
        command: [...(app === 'worker' ? imports : []), join(ROOT, 'apps', app, 'dist/main.js')],
        variables: { ...shared, ...own, ...variables },
      });
    };
    const every = (app: 'api' | 'worker', count: number) =>
      Promise.all(Array.from({ length: count }, (_, index) => replica(app, index)));
    const apis = await every('api', options.apis);
    const workers = await every('worker', options.workers);
    const outsiders = Array.from({ length: options.outsiders ?? 0 }, (_, index) => {
      const name = `outsider-${index + 1}`;
      const url = apis[index % apis.length]?.url;
      const told = { SLUICE_URL: url, SLUICE_KEY: KEY, QUEUE: LEASED_QUEUE, SINK_URL: sink.url };
      return new Replica({
        ...{ name, port: 0, logPath: join(folder, `${name}.log`) },
        command: [join(import.meta.dirname, 'lease-worker.mjs')],
        variables: { ...shared, ...told },
      });
    });
    const product = new Product({ apis, workers, outsiders });
    t.onTestFinished(async () => void (await Promise.all(product.replicas.map((each) => each.end()))));
    return product;
  }

  get replicas(): readonly Replica[] {
    return [...this.apis, ...this.workers, ...this.outsiders];
  }

  /** Resolves when all of them serve. */
  async start(): Promise<void> {
    for (const each of this.replicas) each.start();
    await Promise.all([...this.apis, ...this.workers].map((each) => each.untilAnswers('/readyz')));
  }

  /** Processes that ended without being told to. */
  get crashes(): number {
    return this.replicas.reduce((sum, { crashes }) => sum + crashes, 0);
  }
}

/** 0 when nobody answers. */
export async function statusOf(url: string): Promise<number> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}
