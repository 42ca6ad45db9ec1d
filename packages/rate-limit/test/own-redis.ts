/** This file owns a Redis that a test may kill and freeze: a server of its own on a free port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { Env, type RedisConfig, readRoles } from '@sluice/config';
import { serverFolder, type TestContext } from '@sluice/redis/testing';

export interface OwnRedis {
  port: number;
  config: RedisConfig;
  /** At once, as kill -9 does. */
  kill(): Promise<void>;
  /** Alive and silent. */
  freeze(): void;
  thaw(): void;
}

export async function ownRedis(t: TestContext, options: readonly string[] = []): Promise<OwnRedis> {
  const directory = await serverFolder('limit');
  const port = await freePort();
  const server = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory, ...options],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  };
  t.onTestFinished(async () => {
    await kill();
    await rm(directory, { recursive: true, force: true });
  });
  await untilServing(server);
  return {
    port,
    config: readRoles(new Env({ REDIS_URL: `redis://127.0.0.1:${port}` })).redis.limit,
    kill,
    freeze: () => void server.kill('SIGSTOP'),
    thaw: () => void server.kill('SIGCONT'),
  };
}

/** A port where nobody listens. Below 20,000, so that a Cluster's bus port (10,000 above) is one. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 10_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

function untilServing(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code} before it was ready`)));
    server.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.includes('Ready to accept connections')) resolve();
    });
  });
}
