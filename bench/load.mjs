/** This file owns the load over HTTP: one burst of wrk on the other core, and what came of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOAD_CORE, run, temporaryFolder } from './processes.mjs';

/**
 * A closed loop of `connections`; `request` is { method?, path, paths?, body? }, with `paths` asked in turn. Rejects when
 * an answer is no success: a refusal is cheap, and would count as speed.
 */
export async function load(server, request, seconds, connections) {
  const script = join(temporaryFolder(), 'request.lua');
  writeFileSync(script, wrkScript(request, { ...server.headers, 'Content-Type': 'application/json' }));
  const url = `${server.url}${request.path}`;
  const wrk = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url];
  const { stdout } = await run('taskset', ['-c', LOAD_CORE, ...wrk]);
  const match = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(stdout);
  if (!match) throw new Error(`wrk said: ${stdout}`);
  const [requests, micros, failed, p50, p99] = match.slice(1).map(Number);
  if (failed > 0) throw new Error(`${failed} of ${requests} answers of ${url} were no success`);
  return { requests, perSecond: requests / (micros / 1e6), p50Ms: p50 / 1_000, p99Ms: p99 / 1_000 };
}

function wrkScript({ method = 'GET', body, paths }, headers) {
  const lines = [
    `wrk.method = "${method}"`,
    ...Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`),
  ];
  if (body !== undefined) lines.push(`wrk.body = [==[${body}]==]`);
  if (paths) {
    lines.push(`local paths, at = {${paths.map((path) => `"${path}"`).join(',')}}, 0`);
    lines.push('function request() at = at % #paths + 1; return wrk.format(nil, paths[at]) end');
  }
  lines.push(`function done(summary, latency)
  local e = summary.errors
  local failed = e.status + e.connect + e.read + e.write + e.timeout
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end`);
  return lines.join('\n');
}
