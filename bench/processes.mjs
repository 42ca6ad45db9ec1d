/**
 * This file owns the processes of a run: our server, rivals' servers, programs and Redises, each on a core and ended
 * with us.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, '..');
/** The side under test has a core of its own; Redis and the load share the other. */
export const SIDE_CORE = '0';
export const LOAD_CORE = '1';
const START_DEADLINE_MS = 30_000;

const started = new Set();
const folders = [];
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** A folder that is gone when we are. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  folders.push(folder);
  return folder;
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** `taskset` becomes the command: its pid is the command's. */
function pinned(core, command, args, options) {
  const child = spawn('taskset', ['-c', core, command, ...args], options);
  started.add(child);
  child.once('exit', () => started.delete(child));
  return child;
}

/** A program pinned to a core, waited for until its output holds `ready`. The output goes to a file, as in production. */
async function start(command, args, { env = {}, cwd = ROOT, core = SIDE_CORE, ready }) {
  const log = join(temporaryFolder(), 'output.log');
  const file = openSync(log, 'a');
  const child = pinned(core, command, args, {
    cwd,
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: ['ignore', file, file],
  });
  for (const until = Date.now() + START_DEADLINE_MS; ; await sleep(20)) {
    const output = readFileSync(log, 'utf8');
    if (ready.test(output)) break;
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > until)
      throw new Error(`${command} ${args.join(' ')} did not start:\n${output}`);
  }
  return { pid: child.pid };
}

/** A Redis for one side, without persistence unless `options` of redis-server say otherwise. */
export async function startRedis(options = ['--save', '', '--appendonly', 'no']) {
  const port = await freePort();
  const directory = temporaryFolder();
  const { pid } = await start(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, ...options],
    { core: LOAD_CORE, cwd: directory, ready: /Ready to accept/ },
  );
  const cli = async (...command) => {
    const { stdout } = await run('redis-cli', ['-p', String(port), ...command]);
    if (/^(ERR|NOAUTH|LOADING) /.test(stdout)) throw new Error(`${command.join(' ')}: ${stdout}`);
    return stdout.trim();
  };
  const store = {
    empty: () => cli('FLUSHALL', 'SYNC'),
    // Each job is a key.
    count: async () => Number(await cli('DBSIZE')),
  };
  return { pid, url: `redis://127.0.0.1:${port}`, store };
}

/** What many deployments run with. Rewrites of the file are off, so that none falls into one side's seconds. */
export const EVERY_SECOND = [
  ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
  ...['--auto-aof-rewrite-percentage', '0'],
];

export const BENCH_KEY = 'bench-key-0123456789abcdef';
const OURS = { 'X-DreamFactory-API-Key': BENCH_KEY };
/** A million a second: the limits count every request, through Redis, and refuse none. */
const LIMIT = '60000000/minute';
export const SLUICE_SETTINGS = `Sluice is apps/api/dist with its defaults (access log on, written to a file), but API_LIMIT_PER_KEY and API_LIMIT_PER_ADDRESS at ${LIMIT}: the limits work and refuse nothing.`;

/** The product's API as it runs in production, on this Redis; build first. `main` stands for a bench's own way in. */
export async function startSluice(redis, { main = 'apps/api/dist/main.js', env = {} } = {}) {
  const port = await freePort();
  const server = await start('node', [main], {
    env: {
      REDIS_URL: redis.url,
      PORT: String(port),
      CACHE_DRIVER: 'redis',
      SLUICE_API_KEY: BENCH_KEY,
      SLUICE_DATA_DIR: temporaryFolder(),
      API_LIMIT_PER_KEY: LIMIT,
      API_LIMIT_PER_ADDRESS: LIMIT,
      ...env,
    },
    ready: /"listening"/,
  });
  const url = `http://127.0.0.1:${port}`;
  await untilAnswers(`${url}/api/v2/redis/warm`);
  return { ...server, url, headers: OURS };
}

/** The product's worker app on this Redis. */
export async function startWorker(redis, env = {}) {
  return await start('node', ['apps/worker/dist/main.js'], {
    env: {
      REDIS_URL: redis.url,
      WORKER_HEALTH_PORT: '0',
      SLUICE_DATA_DIR: temporaryFolder(),
      ...env,
    },
    ready: /worker started/,
  });
}

/** A rival of `bench/servers`. */
export async function startRival(file, redis, env = {}, core = SIDE_CORE) {
  const port = await freePort();
  const server = await start('node', [join('servers', file)], {
    env: { PORT: String(port), REDIS_URL: redis?.url ?? '', ...env },
    cwd: FOLDER,
    core,
    ready: /listening/,
  });
  return { ...server, url: `http://127.0.0.1:${port}`, headers: OURS };
}

/** webdis, the HTTP server in C over Redis, on one thread. */
export async function startWebdis(redis) {
  const port = await freePort();
  const directory = temporaryFolder();
  const file = join(directory, 'webdis.json');
  const settings = {
    redis_host: '127.0.0.1',
    redis_port: Number(new URL(redis.url).port),
    http_host: '127.0.0.1',
    http_port: port,
    threads: 1,
    daemonize: false,
    verbosity: 0,
    logfile: join(directory, 'webdis.log'),
    http_max_request_size: 1_048_576,
  };
  writeFileSync(file, JSON.stringify(settings));
  const child = pinned(SIDE_CORE, 'webdis', [file], { cwd: directory, stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await untilAnswers(`${url}/PING`, {});
  return { pid: child.pid, url, headers: {} };
}

/** bunqueue on Bun, in memory or with its SQLite file. Its limit of requests looks back 1 ms only, so it costs next to nothing. */
export async function startBunqueue({ isPersistent }) {
  const [port, tcpPort] = [await freePort(), await freePort()];
  const directory = temporaryFolder();
  const file = isPersistent ? ['--data-path', join(directory, 'bunqueue.db')] : [];
  const bin = (name) => join(FOLDER, 'node_modules', '.bin', name);
  const server = await start(bin('bun'), [bin('bunqueue'), 'start', ...file], {
    env: {
      HTTP_PORT: String(port),
      TCP_PORT: String(tcpPort),
      HOST: '127.0.0.1',
      AUTH_TOKENS: BENCH_KEY,
      RATE_LIMIT_WINDOW_MS: '1',
      RATE_LIMIT_MAX_REQUESTS: '1000000000',
    },
    cwd: directory,
    ready: new RegExp(String(port)),
  });
  const url = `http://127.0.0.1:${port}`;
  const headers = { Authorization: `Bearer ${BENCH_KEY}` };
  await untilAnswers(`${url}/queues/bench/counts`, headers);
  const ask = async (method, path) => {
    const answer = await fetch(`${url}/queues/bench/${path}`, { method, headers });
    if (!answer.ok) throw new Error(`bunqueue answered ${path} with ${answer.status}`);
    return await answer.json();
  };
  const store = {
    empty: () => ask('POST', 'obliterate'),
    count: async () => (await ask('GET', 'counts')).counts.waiting,
  };
  return { ...server, url, headers, store };
}

/** A program of `bench/programs`, which works for as long as it is told, each time again: `run(seconds)` is what it reports. */
export async function startProgram(file, args, redis) {
  const child = pinned(SIDE_CORE, 'node', [join('programs', file), ...args], {
    cwd: FOLDER,
    env: { ...process.env, NODE_ENV: 'production', REDIS_URL: redis.url },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${file} ended`);
  });
  // It ends with us as well, when nobody waits for it.
  ended.catch(() => undefined);
  const lines = createInterface({ input: child.stdout });
  return {
    pid: child.pid,
    run: async (seconds) => {
      const line = once(lines, 'line');
      child.stdin.write(`${seconds}\n`);
      const [text] = await Promise.race([line, ended]);
      return JSON.parse(text);
    },
  };
}

async function untilAnswers(url, headers = OURS) {
  for (const until = Date.now() + START_DEADLINE_MS; Date.now() < until; await sleep(25)) {
    const status = await fetch(url, { headers }).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status !== 0 && status < 500 && status !== 401) return;
  }
  throw new Error(`${url} does not serve`);
}

/** User and system time of a process in microseconds, all its threads (`/proc/PID/stat`, in ticks of 10 ms). */
export function cpuMicros(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}
