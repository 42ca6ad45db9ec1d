/** This file owns load that does not wait for answers: so many requests a second, whatever becomes of those before. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as later } from 'node:timers/promises';

export interface Phase {
  name: string;
  seconds: number;
  offeredPerSecond: number;
  /** Answered 2xx, a second. */
  goodPerSecond: number;
  /** Answered 503 or 429 with `Retry-After`, a second. */
  shedPerSecond: number;
  /** Everything else: another status, a refusal without `Retry-After`, no answer. */
  wrong: number;
  /** Not sent, because `MAX_OPEN` were unanswered: what the load itself could not do. */
  unsent: number;
  /** Of answers of 2xx. */
  p50Ms: number;
  p99Ms: number;
  peakRssMiB: number;
}

/** Sockets of the load. An unanswered request takes one. */
const MAX_OPEN = 4_000;
const TICK_MS = 10;
/** Far above what is promised. */
const GIVE_UP_MS = 10_000;

/** Sends `offeredPerSecond` for `seconds`, evenly. `body` of the n-th request. */
export async function offer(options: {
  name: string;
  url: string;
  path: string;
  key: string;
  pid: number;
  seconds: number;
  offeredPerSecond: number;
  body: (n: number) => string;
}): Promise<Phase> {
  const { name, url, path, key, pid, seconds, offeredPerSecond, body } = options;
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_OPEN });
  const latencies: number[] = [];
  let open = 0;
  let shed = 0;
  let wrong = 0;
  let unsent = 0;
  let peakRssMiB = 0;

  const send = (n: number) => {
    if (open >= MAX_OPEN) {
      unsent += 1;
      return;
    }
    open += 1;
    const startedAt = performance.now();
    const text = body(n);
    const headers = {
      'X-DreamFactory-API-Key': key,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
    };
    const outgoing = request({ agent, hostname, port, path, method: 'POST', headers, timeout: GIVE_UP_MS });
    let isOver = false;
    const over = (isWrong: boolean) => {
      if (isOver) return;
      isOver = true;
      open -= 1;
      if (isWrong) wrong += 1;
    };
    outgoing.once('response', (incoming) => {
      incoming.resume().once('end', () => {
        const { statusCode = 0 } = incoming;
        if (statusCode >= 200 && statusCode < 300) latencies.push(performance.now() - startedAt);
        const isShed = (statusCode === 503 || statusCode === 429) && 'retry-after' in incoming.headers;
        if (isShed) shed += 1;
        over(!isShed && statusCode >= 300);
      });
    });
    outgoing.once('timeout', () => outgoing.destroy()).once('error', () => over(true));
    outgoing.end(text);
  };

  const startedAt = performance.now();
  let sent = 0;
  while (performance.now() - startedAt < seconds * 1_000) {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * offeredPerSecond);
    for (; sent < due; sent += 1) send(sent);
    peakRssMiB = Math.max(peakRssMiB, rssMiB(pid));
    await later(TICK_MS);
  }
  const tookSeconds = (performance.now() - startedAt) / 1_000;
  const good = latencies.length;
  const shedInTime = shed;
  const giveUpAt = performance.now() + GIVE_UP_MS;
  while (open > 0 && performance.now() < giveUpAt) await later(TICK_MS);
  wrong += open;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share: number) => Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 10) / 10;
  return {
    name,
    seconds: Math.round(tookSeconds),
    offeredPerSecond: Math.round(sent / tookSeconds),
    goodPerSecond: Math.round(good / tookSeconds),
    shedPerSecond: Math.round(shedInTime / tookSeconds),
    wrong,
    unsent,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    peakRssMiB: Math.round(peakRssMiB),
  };
}

/** Resident memory of a process, in MiB; 0 when it has gone. */
export function rssMiB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    // It has ended.
    return 0;
  }
}
