/** This file owns a Redis that a test may stop, kill and freeze: a server of its own on a free port, gone with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Secret, type StandaloneConfig } from '@sluice/config';
import { close, connect, type Profile, type RedisClient } from './connect.ts';
import { freePort } from './embedded/port.ts';
import { serverFolder } from './testing-folder.ts';
import { Refusals } from './testing-refusals.ts';
import { ADMIN_PASSWORD, guardedServer, PRODUCT_PASSWORD, PRODUCT_USER } from './testing-user.ts';

export interface TestServer {
  readonly port: number;
  /** How the product enters; so do clients of `connect`. */
  readonly config: StandaloneConfig;
  /** The same as `REDIS_URL` has it. */
  readonly url: string;
  /** How somebody enters who may everything. */
  readonly adminConfig: StandaloneConfig;
  /** Starts it again on the same port, in the same folder; resolves when it serves. */
  start(): Promise<void>;
  /** As an operator would: it writes what it has to write. */
  stop(): Promise<void>;
  /** As a power cut would. */
  kill(): Promise<void>;
  /** Connections stay open and nothing is answered, until `resume`. */
  pause(): void;
  resume(): void;
  /** A client that is closed when the test ends. */
  connect(profile: Profile): RedisClient;
  /** One that may everything, as no client of the product may: for what a test does to Redis itself, not for what it tests. */
  admin(): RedisClient;
}

/** What of a test's context is used here; Vitest's fits. */
export interface TestContext {
  onTestFinished(cleanUp: () => Promise<void> | void): void;
}

/**
 * `settings` are lines of redis.conf; by default nothing is written to disk. `program` is the server's, default `redis-server`
 * on PATH.
 *
 * The product is the user of docs/security.md there, and a test in which Redis has refused him anything has failed. A test
 * that is about who may what says so: `isOpen` is a Redis as it comes, where everybody may everything, and whose `settings`
 * bring users of their own says by `config` how clients enter. With `isAnyKey` he
 * has his commands on keys of no role. `guard` are the lines that make users, where they are others.
 */
export async function testServer(
  t: TestContext,
  options: {
    settings?: readonly string[];
    isSentinel?: boolean;
    isOpen?: boolean;
    isAnyKey?: boolean;
    config?: Partial<StandaloneConfig>;
    guard?: readonly string[];
    program?: string | undefined;
  } = {},
): Promise<TestServer> {
  const { settings = ['save ""', 'appendonly no'], isSentinel = false, program = 'redis-server' } = options;
  const isGuarded = !options.isOpen && !options.config;
  const guard = isGuarded ? (options.guard ?? guardedServer({ isAnyKey: options.isAnyKey ?? false })) : [];
  const directory = await serverFolder('server');
  const port = await freePort();
  const file = join(directory, 'redis.conf');
  await writeFile(
    file,
    ['bind 127.0.0.1', `port ${port}`, `dir ${directory}`, ...settings, ...guard, ''].join('\n'),
  );
  const clients: RedisClient[] = [];
  let isPaused = false;
  const started: ChildProcess[] = [];
  let server: ChildProcess | undefined;

  const start = async () => {
    const mode = isSentinel ? ['--sentinel'] : [];
    server = spawn(program, [file, ...mode], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
    started.push(server);
    await untilReadyLine(server);
  };
  const end = async (signal: NodeJS.Signals) => {
    const ended = server;
    if (!ended || ended.exitCode !== null || ended.signalCode !== null) return;
    const exit = once(ended, 'exit');
    ended.kill(signal);
    ended.kill('SIGCONT');
    isPaused = false;
    await exit;
  };
  const config: StandaloneConfig = {
    kind: 'standalone',
    host: '127.0.0.1',
    port,
    database: 0,
    username: undefined,
    password: undefined,
    tls: undefined,
    ...(isGuarded && { username: PRODUCT_USER, password: new Secret(PRODUCT_PASSWORD) }),
    ...options.config,
  };
  const adminConfig = isGuarded
    ? { ...config, username: undefined, password: new Secret(ADMIN_PASSWORD) }
    : config;
  const refusals = new Refusals(adminConfig);
  const isRunning = () => server?.exitCode === null && server.signalCode === null;
  const collect = async () => {
    // One that answers nobody takes its log with it.
    if (isGuarded && isRunning() && !isPaused) await refusals.collect();
  };
  const open = (target: StandaloneConfig, profile: Profile) => {
    const client = connect({ config: target, profile, name: 'test' });
    clients.push(client);
    return client;
  };
  const resume = () => {
    isPaused = false;
    server?.kill('SIGCONT');
  };
  t.onTestFinished(async () => {
    resume();
    // Told when all is cleaned up.
    const read = await collect().then(
      () => undefined,
      (error: unknown) => error,
    );
    await Promise.all(clients.map((client) => close(client, 100)));
    // Every one, should a test have started a second before the first was gone.
    for (const each of started) each.kill('SIGKILL');
    await end('SIGKILL');
    await rm(directory, { recursive: true, force: true });
    if (read) throw read;
    refusals.assertNone();
  });
  await start();
  return {
    port,
    config,
    url: urlOf(config),
    adminConfig,
    start,
    async stop() {
      await collect();
      await end('SIGTERM');
    },
    async kill() {
      await collect();
      await end('SIGKILL');
    },
    pause() {
      isPaused = true;
      server?.kill('SIGSTOP');
    },
    resume,
    connect: (profile) => open(config, profile),
    admin: () => open(adminConfig, 'worker'),
  };
}

function urlOf({ host, port, database, username, password }: StandaloneConfig): string {
  const entry = password ? `${username ?? ''}:${password.reveal()}@` : '';
  return `redis://${entry}${host}:${port}/${database}`;
}

function untilReadyLine(server: ChildProcess): Promise<void> {
  const output = server.stdout;
  if (!output) throw new TypeError('the server was started without a pipe for its output');
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    server.once('error', reject);
    server.once('exit', (status) =>
      reject(new Error(`redis-server ended with ${status}: ${lines.slice(-5).join(' | ')}`)),
    );
    createInterface({ input: output }).on('line', (line) => {
      lines.push(line);
      if (/Ready to accept connections|Sentinel ID is/.test(line)) resolve();
    });
  });
}
