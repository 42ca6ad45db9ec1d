/** This file owns real processes for end-to-end tests: a Redis that can be stopped, the API, a worker, each on free ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Secret, type StandaloneConfig } from '@sluice/config';
import {
  ADMIN_PASSWORD,
  argumentsOf,
  guardedServer,
  productUrl,
  Refusals,
  serverFolder,
} from '@sluice/redis/testing';

export interface Cleaner {
  onTestFinished(cleanUp: () => Promise<void> | void): void;
}

/** For a Redis that the test kills: what was acknowledged is there when it is started again. */
export const SYNCED = ['--appendonly', 'yes', '--appendfsync', 'always'];
export const KEY = 'end-to-end-key-0123456789';
const ROOT = resolve(import.meta.dirname, '../..');

export class Program {
  readonly #child: ChildProcess;
  #output = '';
  readonly exited: Promise<number | null>;

  constructor(
    command: string,
    args: readonly string[],
    env: Record<string, string | undefined>,
    cwd: string,
  ) {
    this.#child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // Not 'close': a daemon left by the program may hold its output open.
      this.#child.once('exit', (code) => resolve(code));
    });
  }

  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves with the match once the output holds it. */
  async says(pattern: RegExp, timeoutMs = 30_000): Promise<RegExpExecArray> {
    return await until(() => {
      const match = pattern.exec(this.#output);
      if (!match && !this.isRunning) throw new Error(`it ended before it said ${pattern}:\n${this.#output}`);
      return match ?? undefined;
    }, timeoutMs);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.isRunning) this.#child.kill(signal);
    await this.exited;
  }
}

/** A redis-server of the test's own, which it may stop, kill, freeze and start again on the same port and data. */
export class OwnRedis {
  readonly port: number;
  readonly #guard: readonly string[];
  readonly #refusals: Refusals;
  #isFrozen = false;
  readonly #directory: string;
  readonly #options: readonly string[];
  #program: Program | undefined;

  private constructor(options: {
    port: number;
    directory: string;
    options: readonly string[];
    guard: readonly string[];
  }) {
    const { port, directory } = options;
    this.port = port;
    this.#guard = options.guard;
    this.#refusals = new Refusals(this.adminConfig);
    this.#directory = directory;
    this.#options = options.options;
  }

  /**
   * The product is the user of docs/security.md there, and a test in which Redis has refused him anything has failed; `guard`
   * are the lines that make him. Without any it is a Redis as it comes, where everybody may everything.
   */
  static async start(
    t: Cleaner,
    options: readonly string[] = ['--appendonly', 'yes'],
    guard: readonly string[] = guardedServer({ prefix: 'dreamfactory' }),
  ): Promise<OwnRedis> {
    const place = { port: await freePort(), directory: await serverFolder('redis') };
    const redis = new OwnRedis({ ...place, options, guard });
    t.onTestFinished(async () => {
      redis.thaw();
      try {
        await redis.#collect();
      } finally {
        await redis.#program?.kill();
        await rm(redis.#directory, { recursive: true, force: true });
      }
      redis.#refusals.assertNone();
    });
    await redis.start();
    return redis;
  }

  /** How the product enters. */
  get url(): string {
    return this.#guard.length > 0 ? productUrl(this.port) : `redis://127.0.0.1:${this.port}/0`;
  }

  /** How somebody enters who may everything. */
  get adminConfig(): StandaloneConfig {
    return {
      ...{ kind: 'standalone', host: '127.0.0.1', port: this.port, database: 0 },
      ...{ username: undefined, tls: undefined },
      password: this.#guard.length > 0 ? new Secret(ADMIN_PASSWORD) : undefined,
    };
  }

  async start(): Promise<void> {
    const args = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--dir',
      this.#directory,
      ...this.#options,
      ...argumentsOf(this.#guard),
    ];
    this.#program = new Program('redis-server', args, process.env, this.#directory);
    await this.#program.says(/Ready to accept connections/);
  }

  /** Gone at once, its port closed. */
  async kill(): Promise<void> {
    await this.#collect();
    await this.#program?.kill('SIGKILL');
  }

  /** Holds connections open and answers nothing. */
  freeze(): void {
    this.#isFrozen = true;
    this.#program?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#program?.signal('SIGCONT');
  }

  /** One that answers nobody takes its log with it. */
  async #collect(): Promise<void> {
    if (this.#guard.length > 0 && this.#program?.isRunning && !this.#isFrozen) await this.#refusals.collect();
  }
}

export interface Product {
  url: string;
  api: Program;
  worker: Program;
  directory: string;
  /** `fetch` below `/api/v2` with the key. */
  call(path: string, init?: Omit<RequestInit, 'body'> & { json?: unknown }): Promise<Response>;
}

/**
 * API and worker as processes, as they run in production, on this Redis; ready unless told that there is none. `redis` is
 * its URL, or the settings that say where it is.
 */
export async function startProduct(
  t: Cleaner,
  redis: string | Readonly<Record<string, string>>,
  variables: Record<string, string> = {},
  { isReady = true }: { isReady?: boolean } = {},
): Promise<Product> {
  await build();
  const directory = await mkdtemp(join(tmpdir(), 'sluice-product-'));
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    ...(typeof redis === 'string' ? { REDIS_URL: redis } : redis),
    CACHE_DRIVER: 'redis',
    SLUICE_API_KEY: KEY,
    SLUICE_DATA_DIR: directory,
    PORT: '0',
    WORKER_HEALTH_PORT: '0',
    ...variables,
  };
  const run = (app: string) => {
    return new Program(process.execPath, [join(ROOT, 'apps', app, 'dist/main.js')], env, ROOT);
  };
  const api = run('api');
  const worker = run('worker');
  t.onTestFinished(async () => {
    await Promise.all([api.kill(), worker.kill()]);
    await rm(directory, { recursive: true, force: true });
  });
  const [url] = await api.says(/http:\/\/localhost:\d+/);
  await worker.says(/worker started/);
  if (isReady) await until(async () => ((await fetch(`${url}/readyz`)).ok ? true : undefined), 30_000);
  const call: Product['call'] = (path, { json, headers, ...init } = {}) =>
    fetch(`${url}/api/v2${path}`, {
      ...init,
      ...(json !== undefined && { body: JSON.stringify(json) }),
      headers: {
        'X-DreamFactory-API-Key': KEY,
        ...(json !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
    });
  return { url: url as string, api, worker, directory, call };
}

let building: Promise<void> | undefined;

/** Once a process; a moment when nothing has changed. `npm test` has built already. */
export function build(): Promise<void> {
  building ??= process.env.SLUICE_IS_BUILT === 'true' ? Promise.resolve() : runBuild();
  return building;
}

async function runBuild(): Promise<void> {
  const turbo = join(ROOT, 'node_modules/.bin/turbo');
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' };
  const program = new Program(turbo, ['run', 'build', '--output-logs=errors-only'], env, ROOT);
  if ((await program.exited) !== 0) throw new Error(`the build failed:\n${program.output}`);
}

/** The first value that `probe` answers; its last failure once `timeoutMs` have passed. */
export async function until<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 10_000,
  everyMs = 20,
): Promise<T> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
