/**
 * This file owns the conversation of a program with the harness: a line of seconds in, a line of figures out, as often as
 * asked. By hand: `echo 3 | REDIS_URL=redis://localhost node programs/add.mjs`.
 */
import { createInterface } from 'node:readline';

/** Keeps `inFlight` calls of `call` going; each adds `jobsPerCall` jobs. */
export async function answer({ call, jobsPerCall, inFlight }) {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await work(call, jobsPerCall, inFlight, Number(line)))}\n`);
  }
  process.exit(0);
}

async function work(call, jobsPerCall, inFlight, seconds) {
  const times = [];
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  const until = begun + seconds * 1_000;
  const lane = async () => {
    while (performance.now() < until) {
      const sent = performance.now();
      await call();
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const elapsedSeconds = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const count = times.length * jobsPerCall;
  times.sort((a, b) => a - b);
  return {
    count,
    perSecond: count / elapsedSeconds,
    ownMicros: (user + system) / count,
    p50Ms: times[Math.floor(times.length * 0.5)],
    p99Ms: times[Math.floor(times.length * 0.99)],
  };
}
