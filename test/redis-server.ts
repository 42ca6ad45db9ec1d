/** This file owns the one real Redis of a test run: started on a free port before the first test, stopped after the last. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Read by `@sluice/redis/testing`; a global setup is loaded before the condition that finds our packages' sources holds. */
const TEST_REDIS_URL = 'SLUICE_TEST_REDIS_URL';

export default async function startRedis(): Promise<() => Promise<void>> {
  if (process.env[TEST_REDIS_URL]) return async () => undefined;
  const directory = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const port = await freePort();
  const server = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code} before it was ready`)));
    server.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('Ready to accept connections')) resolve();
    });
  });
  process.env[TEST_REDIS_URL] = `redis://127.0.0.1:${port}/0`;
  return async () => {
    server.removeAllListeners('exit');
    server.kill('SIGTERM');
    await new Promise((resolve) => server.once('close', resolve));
    await rm(directory, { recursive: true, force: true });
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
