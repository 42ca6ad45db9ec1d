import { access, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { build, type Cleaner, freePort, KEY, OwnRedis, Program, until } from './product.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const CLIENTS = 24;
const HEADERS = { 'X-DreamFactory-API-Key': KEY, 'Content-Type': 'application/json' };

async function findNginx(): Promise<string> {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']) {
    const path = join(folder, 'nginx');
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  throw new Error('nginx is not installed: apt-get install nginx (npm test does it where it may)');
}

/** The shipped configuration in front of these ports. */
async function startNginx(t: Cleaner, ports: readonly number[]): Promise<{ url: string; nginx: Program }> {
  const program = await findNginx();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-nginx-'));
  await mkdir(join(folder, 'logs'));
  const port = await freePort();
  const shipped = await readFile(join(ROOT, 'deploy/nginx.conf'), 'utf8');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${kind};`)
    .join(' ');
  const configuration = shipped
    .replace('api-1:8080', `127.0.0.1:${ports[0]}`)
    .replace('api-2:8080', `127.0.0.1:${ports[1]}`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
    .replace('http {', `http { ${temporary}`);
  await writeFile(join(folder, 'nginx.conf'), configuration);
  const nginx = new Program(
    program,
    ['-p', folder, '-c', 'nginx.conf', '-g', 'daemon off;'],
    process.env,
    folder,
  );
  t.onTestFinished(async () => {
    await nginx.kill('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => {
    if (!nginx.isRunning) throw new Error(`nginx ended:\n${nginx.output}`);
    return await fetch(`${url}/livez`).then(
      () => true,
      () => undefined,
    );
  });
  return { url, nginx };
}

/** Requests without a pause, each client on a connection that it keeps, until it is stopped. */
function startLoad(url: string) {
  const state = { isOver: false, enqueued: 0, answered: 0, failures: [] as string[] };
  const send = async (method: string, path: string, body?: unknown): Promise<void> => {
    const request = { method, headers: HEADERS, ...(body !== undefined && { body: JSON.stringify(body) }) };
    try {
      const answer = await fetch(`${url}${path}`, { ...request, signal: AbortSignal.timeout(10_000) });
      const text = await answer.text();
      if (!answer.ok) state.failures.push(`${method} ${path}: ${answer.status} ${text}`);
      else state.answered += 1;
    } catch (error) {
      state.failures.push(`${method} ${path}: ${String((error as Error).cause ?? error)}`);
    }
  };
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    for (let turn = 0; !state.isOver; turn += 1) {
      await send('POST', '/api/v2/queues/pull-rolling/jobs', { name: 'step', data: { client, turn } });
      state.enqueued += 1;
      await send('POST', '/api/v2/redis', { resource: [{ key: `client:${client}`, value: turn }] });
      await send('GET', `/api/v2/redis/client:${client}`);
    }
  });
  return {
    state,
    async stop() {
      state.isOver = true;
      await Promise.all(clients);
    },
  };
}

it('restarts two replicas in turn behind the shipped nginx.conf: no request fails, no job is lost or doubled', {
  timeout: 120_000,
}, async (t) => {
  await build();
  const redis = await OwnRedis.start(t);
  const directory = await mkdtemp(join(tmpdir(), 'sluice-rolling-'));
  const running = new Set<Program>();
  t.onTestFinished(async () => {
    await Promise.all([...running].map((program) => program.kill()));
    await rm(directory, { recursive: true, force: true });
  });
  const ports = [await freePort(), await freePort()];
  const startReplica = async (port: number): Promise<Program> => {
    const env = {
      PATH: process.env.PATH,
      REDIS_URL: redis.url,
      CACHE_DRIVER: 'redis',
      SLUICE_API_KEY: KEY,
      SLUICE_SECRET: 'a-master-secret-of-more-than-32-characters',
      SLUICE_DATA_DIR: directory,
      PORT: String(port),
      SHUTDOWN_LINGER_SECONDS: '5',
      TRUSTED_PROXIES: '1',
      ACCESS_LOG: 'errors',
    };
    const replica = new Program(process.execPath, [join(ROOT, 'apps/api/dist/main.js')], env, directory);
    running.add(replica);
    await replica.says(/http:\/\/localhost:\d+/);
    await until(async () => (await statusOf(port)) === 200 || undefined, 30_000);
    return replica;
  };
  const replicas = await Promise.all(ports.map(startReplica));
  const { url, nginx } = await startNginx(t, ports);
  const load = startLoad(url);
  await until(() => load.state.answered > 200 || undefined, 30_000);

  for (const [index, port] of ports.entries()) {
    const before = load.state.answered;
    replicas[index]?.signal('SIGTERM');
    // Told at once, while it serves on.
    await until(async () => (await statusOf(port)) === 503 || undefined);
    expect(await replicas[index]?.exited, replicas[index]?.output).toBe(0);
    expect(await statusOf(port)).toBe('refused');
    replicas[index] = await startReplica(port);
    await until(() => load.state.answered > before + 200 || undefined, 30_000);
  }
  await load.stop();

  expect(load.state.failures, nginx.output).toEqual([]);
  const queue = await fetch(`${url}/api/v2/queues/pull-rolling`, { headers: HEADERS });
  expect(await queue.json()).toMatchObject({ counts: { waiting: load.state.enqueued } });
});

async function statusOf(port: number): Promise<number | 'refused'> {
  return await fetch(`http://127.0.0.1:${port}/readyz`, { headers: { Connection: 'close' } }).then(
    (answer) => answer.status,
    () => 'refused' as const,
  );
}
