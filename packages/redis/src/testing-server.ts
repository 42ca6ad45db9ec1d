/** This file owns a Redis that a test may stop, kill and freeze: a server of its own on a free port, gone with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { StandaloneConfig } from '@sluice/config';
import { close, connect, type Profile, type RedisClient } from './connect.ts';
import { freePort } from './embedded/port.ts';
import { serverFolder } from './testing-folder.ts';

export interface TestServer {
  readonly port: number;
  readonly config: StandaloneConfig;
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
}

/** What of a test's context is used here; Vitest's fits. */
export interface TestContext {
  onTestFinished(cleanUp: () => Promise<void> | void): void;
}

/**
 * `settings` are lines of redis.conf; by default nothing is written to disk. `config` says how clients enter. `program` is
 * the server's, default `redis-server` on PATH.
 */
export async function testServer(
  t: TestContext,
  options: {
    settings?: readonly string[];
    isSentinel?: boolean;
    config?: Partial<StandaloneConfig>;
    program?: string | undefined;
  } = {},
): Promise<TestServer> {
  const { settings = ['save ""', 'appendonly no'], isSentinel = false, program = 'redis-server' } = options;
  const directory = await serverFolder('server');
  const port = await freePort();
  const file = join(directory, 'redis.conf');
  await writeFile(file, ['bind 127.0.0.1', `port ${port}`, `dir ${directory}`, ...settings, ''].join('\n'));
  const clients: RedisClient[] = [];
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
    ...options.config,
  };
  t.onTestFinished(async () => {
    await Promise.all(clients.map((client) => close(client, 100)));
    // Every one, should a test have started a second before the first was gone.
    for (const each of started) each.kill('SIGKILL');
    await end('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });
  await start();
  return {
    port,
    config,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    connect(profile) {
      const client = connect({ config, profile, name: 'test' });
      clients.push(client);
      return client;
    },
  };
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
