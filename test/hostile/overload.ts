/** This file owns load that does not wait for answers: so many requests a second, whatever becomes of those before. */
import { readFileSync } from 'node:fs';
import { setTimeout as later } from 'node:timers/promises';
import { RawPool } from './raw-load.ts';

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
  /** Not sent, because `CONNECTIONS` were unanswered: what the load itself could not do. */
  unsent: number;
  /** Of answers of 2xx. */
  p50Ms: number;
  p99Ms: number;
  peakRssMiB: number;
}

/** Open before the load begins, as a proxy keeps them: Node accepts one new connection a turn of its event loop. */
const CONNECTIONS = 2_000;
const HEALTH = Buffer.from('GET /livez HTTP/1.1\r\nHost: sluice\r\n\r\n');
const TICK_MS = 10;
/** Far above what is promised. */
const GIVE_UP_MS = 10_000;

/** A request that enqueues `jobs` jobs, as it goes over the wire. */
export function enqueueing({ path, key, jobs }: { path: string; key: string; jobs: number }): Buffer {
  const body = JSON.stringify({
    resource: Array.from({ length: jobs }, (_, at) => ({
      name: 'noop',
      data: { at, text: 'x'.repeat(100) },
    })),
  });
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: sluice',
    `X-DreamFactory-API-Key: ${key}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Sends `offeredPerSecond` for `seconds`, evenly: `request`, headers and body, again and again. */
export async function offer(options: {
  name: string;
  url: string;
  request: Buffer;
  pid: number;
  seconds: number;
  offeredPerSecond: number;
}): Promise<Phase> {
  const { name, url, request, pid, seconds, offeredPerSecond } = options;
  const pool = new RawPool(url);
  await pool.warm(CONNECTIONS, HEALTH);
  const latencies: number[] = [];
  let open = 0;
  let shed = 0;
  let wrong = 0;
  let unsent = 0;
  let peakRssMiB = 0;

  const send = () => {
    if (open >= CONNECTIONS) {
      unsent += 1;
      return;
    }
    open += 1;
    const startedAt = performance.now();
    pool.send(request, GIVE_UP_MS, (answer) => {
      open -= 1;
      const { status = 0, hasRetryAfter = false } = answer ?? {};
      if (status >= 200 && status < 300) latencies.push(performance.now() - startedAt);
      else if (hasRetryAfter && (status === 503 || status === 429)) shed += 1;
      else wrong += 1;
    });
  };

  const startedAt = performance.now();
  let sent = 0;
  while (performance.now() - startedAt < seconds * 1_000) {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * offeredPerSecond);
    for (; sent < due; sent += 1) send();
    peakRssMiB = Math.max(peakRssMiB, rssMiB(pid));
    await later(TICK_MS);
  }
  const tookSeconds = (performance.now() - startedAt) / 1_000;
  const good = latencies.length;
  const shedInTime = shed;
  const giveUpAt = performance.now() + GIVE_UP_MS;
  while (open > 0 && performance.now() < giveUpAt) await later(TICK_MS);
  pool.close();
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
