/**
 * This file owns how we measure: sides alternate within each repetition, a warm-up before each, medians with their
 * spread, CPU per operation from the operating system. Wall-clock rates of a shared machine wander; a ratio is believed
 * when the paired rates and the CPU agree.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const FOLDER = import.meta.dirname;
export const ROOT = join(FOLDER, '..');
/** The server under test has a core of its own; Redis and the load share the other. */
const SERVER_CORE = '0';
const LOAD_CORE = '1';
const started = [];

process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

/** Seconds and repetitions; `BENCH_QUICK=1` to see whether it runs at all, never to quote. */
export const SETTINGS = process.env.BENCH_QUICK
  ? { repetitions: 1, warmUpSeconds: 1, seconds: 1 }
  : {
      repetitions: Number(process.env.BENCH_REPETITIONS ?? 6),
      warmUpSeconds: 1,
      seconds: Number(process.env.BENCH_SECONDS ?? 4),
    };

export async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A program pinned to a core, waited for until its output holds `ready`. */
export async function start(command, args, { env = {}, cwd = ROOT, core = SERVER_CORE, ready }) {
  const child = spawn('taskset', ['-c', core, command, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let output = '';
  let isReady = false;
  await new Promise((resolve, reject) => {
    const read = (chunk) => {
      if (isReady) return;
      output += chunk;
      if (!ready.test(output)) return;
      isReady = true;
      resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (code) =>
      reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)),
    );
  });
  return { pid: child.pid, output, stop: () => stop(child) };
}

async function stop(child) {
  child.removeAllListeners('exit');
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('close', resolve));
}

/** A Redis of its own for one side; `options` are redis-server's. */
export async function startRedis(options = ['--save', '', '--appendonly', 'no']) {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, ...options];
  const server = await start('redis-server', args, {
    core: LOAD_CORE,
    cwd: directory,
    ready: /Ready to accept/,
  });
  return {
    port,
    pid: server.pid,
    url: `redis://127.0.0.1:${port}`,
    cli: async (...command) => (await run('redis-cli', ['-p', String(port), ...command])).stdout.trim(),
    stop: async () => {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export const BENCH_KEY = 'bench-key-0123456789abcdef';

/** The product's API as it runs in production, on this Redis; build first. */
export async function startSluice(redis, env = {}) {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const server = await start('node', ['apps/api/dist/main.js'], {
    env: {
      REDIS_URL: redis.url,
      PORT: String(port),
      CACHE_DRIVER: 'redis',
      SLUICE_API_KEY: BENCH_KEY,
      SLUICE_DATA_DIR: directory,
      ...env,
    },
    ready: /"listening"/,
  });
  const url = `http://127.0.0.1:${port}`;
  await untilAnswers(`${url}/api/v2/redis/warm`);
  return { ...server, url };
}

/** A rival's server of `bench/servers`. */
export async function startRival(file, redis) {
  const port = await freePort();
  const server = await start('node', [join(FOLDER, 'servers', file)], {
    env: { PORT: String(port), REDIS_URL: redis?.url ?? '' },
    cwd: FOLDER,
    ready: /listening/,
  });
  return { ...server, url: `http://127.0.0.1:${port}` };
}

async function untilAnswers(url) {
  for (let tries = 0; tries < 200; tries += 1) {
    const { status } = await fetch(url, { headers: { 'X-DreamFactory-API-Key': BENCH_KEY } });
    if (status < 500 && status !== 401) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${url} does not serve`);
}

/** One burst of wrk; `request` is { method, path, body, headers }. Rejects when an answer is not a success. */
async function load(url, request, seconds, connections) {
  const script = join(mkdtempSync(join(tmpdir(), 'sluice-wrk-')), 'request.lua');
  const headers = {
    'X-DreamFactory-API-Key': BENCH_KEY,
    'Content-Type': 'application/json',
    ...request.headers,
  };
  writeFileSync(
    script,
    [
      `wrk.method = "${request.method ?? 'GET'}"`,
      ...Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`),
      ...(request.body === undefined ? [] : [`wrk.body = ${luaString(request.body)}`]),
      ...(request.paths ? [pathsScript(request.paths)] : []),
      'function done(summary, latency)',
      '  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout',
      '  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))',
      'end',
    ].join('\n'),
  );
  const args = [
    '-c',
    LOAD_CORE,
    'wrk',
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '-s',
    script,
    `${url}${request.path}`,
  ];
  const { stdout } = await run('taskset', args);
  const match = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(stdout);
  if (!match) throw new Error(`wrk said: ${stdout}`);
  const [requests, micros, failed, p50, p99] = match.slice(1).map(Number);
  if (failed > 0)
    throw new Error(`${failed} of ${requests} answers of ${url}${request.path} were no success`);
  return { requests, perSecond: requests / (micros / 1e6), p50Ms: p50 / 1_000, p99Ms: p99 / 1_000 };
}

function luaString(text) {
  return `[==[${text}]==]`;
}

/** Cycles through paths, so that reads do not all meet one key. */
function pathsScript(paths) {
  return `local paths = {${paths.map((path) => `"${path}"`).join(',')}}
local at = 0
function request()
  at = at % #paths + 1
  return wrk.format(nil, paths[at])
end`;
}

/** User and system time of a process in microseconds, all its threads (`/proc/PID/stat`, in ticks of 10 ms). */
function cpuMicros(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/**
 * Runs one case: each side in turn, `repetitions` times.
 * A side is { name, server, redis?, request, connections?, operations? (per request, default 1), before?() }.
 */
export async function compare(title, sides) {
  const { repetitions, warmUpSeconds, seconds } = SETTINGS;
  const rows = sides.map((side) => ({ side, runs: [] }));
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    // The order turns, so that nobody always follows the same neighbour.
    const order = rows.map((_, index) => rows[(index + repetition) % rows.length]);
    for (const { side, runs } of order) {
      const { server, redis, request, connections = 64, operations = 1 } = side;
      await side.before?.();
      await load(server.url, request, warmUpSeconds, connections);
      const before = { server: cpuMicros(server.pid), redis: redis ? cpuMicros(redis.pid) : 0 };
      const result = await load(server.url, request, seconds, connections);
      const count = result.requests * operations;
      runs.push({
        ...result,
        perSecond: result.perSecond * operations,
        serverMicros: (cpuMicros(server.pid) - before.server) / count,
        redisMicros: redis ? (cpuMicros(redis.pid) - before.redis) / count : 0,
      });
    }
    process.stderr.write(`${title}: repetition ${repetition + 1} of ${repetitions}\n`);
  }
  return { title, rows: rows.map(({ side, runs }) => summarize(side.name, runs, rows[0].runs)) };
}

/** `base` is the first side's: ratios are paired within a repetition. */
function summarize(name, runs, base) {
  const rates = runs.map(({ perSecond }) => perSecond);
  const ratios = runs.map(({ perSecond }, index) => perSecond / base[index].perSecond);
  const cpu = runs.map(({ serverMicros, redisMicros }) => serverMicros + redisMicros);
  const cpuRatios = cpu.map((micros, index) => micros / (base[index].serverMicros + base[index].redisMicros));
  return {
    name,
    perSecond: Math.round(median(rates)),
    spread: `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`,
    ratio: round(median(ratios)),
    ratioSpread: `${round(Math.min(...ratios))}–${round(Math.max(...ratios))}`,
    p50Ms: round(median(runs.map(({ p50Ms }) => p50Ms))),
    p99Ms: round(median(runs.map(({ p99Ms }) => p99Ms))),
    serverMicros: round(median(runs.map(({ serverMicros }) => serverMicros))),
    redisMicros: round(median(runs.map(({ redisMicros }) => redisMicros))),
    cpuRatio: round(median(cpuRatios)),
  };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function round(value) {
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}

/** Prints the tables and keeps them in `results/<name>.md` and `.json`. */
export function report(name, question, results) {
  const { repetitions, warmUpSeconds, seconds } = SETTINGS;
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
  const method = `${repetitions} alternating repetitions of ${seconds} s after ${warmUpSeconds} s of warm-up; medians (min–max). Ratios are paired within a repetition, to the first row. The server has one core, Redis and the load the other.`;
  const tables = results.map(({ title, rows }) =>
    [
      `## ${title}`,
      '',
      '| side | op/s | spread | ratio | ratio spread | p50 ms | p99 ms | server CPU µs/op | Redis CPU µs/op | CPU ratio |',
      '|---|---|---|---|---|---|---|---|---|---|',
      ...rows.map(
        (row) =>
          `| ${row.name} | ${row.perSecond.toLocaleString('en')} | ${row.spread} | ${row.ratio} | ${row.ratioSpread} | ${row.p50Ms} | ${row.p99Ms} | ${row.serverMicros} | ${row.redisMicros} | ${row.cpuRatio} |`,
      ),
    ].join('\n'),
  );
  const text = `# ${question}\n\n${machine}. ${method}\n\n${tables.join('\n\n')}\n`;
  mkdirSync(join(FOLDER, 'results'), { recursive: true });
  if (!process.env.BENCH_QUICK) {
    writeFileSync(join(FOLDER, 'results', `${name}.md`), text);
    writeFileSync(
      join(FOLDER, 'results', `${name}.json`),
      `${JSON.stringify({ question, machine, method, results }, null, 2)}\n`,
    );
  }
  process.stdout.write(text);
}
