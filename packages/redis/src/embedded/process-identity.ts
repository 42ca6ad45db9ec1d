/**
 * This file owns the question "is that still the same process?". A pid alone is handed out again, in a container
 * often to the very program that asks, so a process is its pid and the time of its birth.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface ProcessIdentity {
  pid: number;
  /** Opaque; equal for the same process only. */
  born: string;
}

const ASK_DEADLINE_MS = 10_000;
const KILL_DEADLINE_MS = 2_000;
const POLL_MS = 20;

/** `undefined` when no such process lives. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined) return undefined;
    // proc(5): the name in parentheses may hold blanks; state is field 3, start time in ticks since boot field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return { pid, born: `${boot.trim()}/${fields[19]}` };
  }
  const answer = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]).catch(() => undefined);
  const born = answer?.stdout.trim();
  return born ? { pid, born } : undefined;
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.born === identity.born;
}

/** SIGTERM, and after 10 s SIGKILL, then the rest of its group. Rejects when the process outlives both. */
export async function endProcess(identity: ProcessIdentity): Promise<void> {
  const { pid } = identity;
  send(pid, 'SIGTERM');
  if (!(await isGone(identity, ASK_DEADLINE_MS))) {
    send(pid, 'SIGKILL');
    if (!(await isGone(identity, KILL_DEADLINE_MS))) throw new Error(`process ${pid} did not end`);
  }
  signalGroup(pid, 'SIGKILL');
}

/** To whatever is left of the group that process `pid` leads or led. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  send(-pid, signal);
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // ESRCH: it has gone by itself meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function isGone(identity: ProcessIdentity, deadlineMs: number): Promise<boolean> {
  const until = performance.now() + deadlineMs;
  while (performance.now() < until) {
    if (!(await isAlive(identity))) return true;
    await wait(POLL_MS);
  }
  return false;
}
