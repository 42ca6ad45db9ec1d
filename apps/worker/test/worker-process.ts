/** This file owns real worker processes for tests: started as a user would start them, read by their log, gone with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Jobs } from '@sluice/jobs';
import { TEST_REDIS_URL, type TestContext, testRedis } from '@sluice/redis/testing';
import { vi } from 'vitest';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Many start at the same time, from sources. */
const START_MS = 25_000;

export interface WorkerProcess {
  child: ChildProcess;
  /** Parsed lines of its log so far. */
  log: Record<string, unknown>[];
  errors: () => string;
  /** The first line with this message, once it is there. */
  logged(message: string, timeoutMs?: number): Promise<Record<string, unknown>>;
  /** Its health server. */
  ask(path: string): Promise<Response>;
  /** Sends the signal and answers the exit status. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  exited: Promise<number | null>;
}

/** A prefix of the test's own on the run's Redis, the producing side, and worker processes for it. */
export async function product(t: TestContext) {
  const redis = await testRedis(t);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-worker-'));
  t.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const jobs = new Jobs({ client: redis.client, subscriber: redis.connect('subscriber'), keys: redis.keys });
  t.onTestFinished(() => jobs.close());
  return {
    redis,
    jobs,
    folder,
    async write(file: string, text: string): Promise<void> {
      await writeFile(join(folder, file), text);
    },
    /** Ends by itself or with the test. `isStarted: false` for one that is to fail. */
    async worker(
      variables: Record<string, string> = {},
      options: { isStarted?: boolean } = {},
    ): Promise<WorkerProcess> {
      const worker = start(t, folder, {
        REDIS_URL: process.env[TEST_REDIS_URL] ?? '',
        REDIS_PREFIX: redis.prefix,
        WORKER_HEALTH_PORT: '0',
        SLUICE_DATA_DIR: folder,
        ...variables,
      });
      if (options.isStarted ?? true) await worker.logged('worker started', START_MS);
      return worker;
    },
    async result(queue: string, id: string) {
      return await jobs.waitForResult(queue, id, { timeoutMs: 25_000 });
    },
  };
}

function start(t: TestContext, folder: string, variables: Record<string, string>): WorkerProcess {
  const { PATH = '' } = process.env;
  const tsx = join(ROOT, 'node_modules/tsx/dist/loader.mjs');
  const child = spawn(process.execPath, ['--import', tsx, '--conditions=@sluice/source', MAIN], {
    cwd: folder,
    env: { PATH, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: Record<string, unknown>[] = [];
  let errors = '';
  createInterface({ input: child.stdout }).on('line', (line) =>
    log.push(JSON.parse(line) as Record<string, unknown>),
  );
  child.stderr.on('data', (text) => {
    errors += String(text);
  });
  const exited = once(child, 'exit').then(([status]) => status as number | null);
  t.onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const logged = (message: string, timeoutMs = 5_000) =>
    vi.waitFor(
      () => {
        const line = log.find(({ msg }) => msg === message);
        if (!line) throw new Error(`the worker has not logged '${message}': ${errors}${JSON.stringify(log)}`);
        return line;
      },
      { timeout: timeoutMs, interval: 20 },
    );
  return {
    child,
    log,
    errors: () => errors,
    logged,
    exited,
    async ask(path) {
      const { port } = await logged('health listening');
      return fetch(`http://127.0.0.1:${port}${path}`);
    },
    async end(signal) {
      child.kill(signal);
      return await exited;
    },
  };
}
