/** This file owns `redis-server` (or Valkey's) as a child process: its settings, its readiness, its end. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { identify, signalGroup } from './process-identity.ts';
import type { EmbeddedEnd, ServerProgram, StartedServer } from './started-server.ts';

export type ServerStart =
  | { outcome: 'ready'; server: StartedServer }
  | { outcome: 'not_installed' }
  | { outcome: 'port_taken' }
  | { outcome: 'failed'; end: EmbeddedEnd };

/** A long append-only file takes a while to read. */
const READY_DEADLINE_MS = 120_000;
const STOP_DEADLINE_MS = 10_000;
/** A forked rewrite of the append-only file may hold the output open after the server has gone. */
const LAST_WORDS_MS = 500;
const LAST_LINES = 20;

/**
 * `$0` the program, `$1` seconds. Becomes the server, and leaves behind a watch on descriptor 3, which closes when its
 * owner is gone, however it went; the server is ended that many seconds later. The wait is the shell's own `read`: no PATH,
 * no other program. Both are in one process group, so that
 * whoever ends the server can end the watch with it.
 */
const WATCHED_START = `
(
  while read -r _; do :; done <&3
  left=$1
  while [ "$left" -gt 0 ] && kill -0 $$; do sleep 1; left=$((left - 1)); done
  kill -TERM $$
) </dev/null >/dev/null 2>&1 &
exec "$0" - 3<&-`;
/** What a shell ends with when there is no such program. */
const NOT_FOUND_STATUS = 127;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
type Step = 'ready' | 'late';

export async function startServerChild(options: {
  program: ServerProgram;
  directory: string;
  port: number;
  password: string;
  orphanGraceMs: number;
  settings: readonly string[];
}): Promise<ServerStart> {
  const { program, directory, orphanGraceMs } = options;
  const graceSeconds = Math.ceil(orphanGraceMs / 1_000);
  // Its own process group: Ctrl-C must reach the workers alone, while they still have a Redis to report to.
  const child = spawn('/bin/sh', ['-c', WATCHED_START, program, String(graceSeconds)], {
    cwd: directory,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  }) as unknown as Child;
  const lastLines: string[] = [];
  let wasAsked = false;
  // Whoever leaves without stopping us leaves no server behind; it still writes what it has.
  const leave = () => signalGroup(child.pid as number, 'SIGTERM');
  process.once('exit', leave);
  const ended = endOf(child).then((reason): EmbeddedEnd => {
    process.off('exit', leave);
    return { wasAsked, reason, lastLines };
  });
  const stop = async () => {
    wasAsked = true;
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await ended;
    clearTimeout(killer);
  };
  const firstStep = readOutput(child, lastLines);
  child.stdin.on('error', () => undefined); // A server that ended before reading its settings says why on its output.
  child.stdin.end(settingsOf(options));

  const step = await Promise.race([firstStep, ended.then(() => 'ended' as const)]);
  if (step === 'ended' && child.exitCode === NOT_FOUND_STATUS) return { outcome: 'not_installed' };
  const identity = step === 'ready' ? await identify(child.pid as number) : undefined;
  if (!identity) {
    if (step !== 'ended') await stop();
    const isPortTaken = lastLines.some((line) => /Address already in use/i.test(line));
    return isPortTaken ? { outcome: 'port_taken' } : { outcome: 'failed', end: await ended };
  }
  const version = /version=([\w.]+)/.exec(lastLines.join('\n'))?.[1] ?? 'unknown';
  return { outcome: 'ready', server: { version, process: identity, ended, stop } };
}

/** Read from standard input, so that the password shows in no list of processes. */
function settingsOf({
  port,
  password,
  settings,
}: {
  port: number;
  password: string;
  settings: readonly string[];
}): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    'daemonize no',
    'dir ./',
    'save ""',
    'appendonly yes',
    'appendfsync everysec',
    // A queue whose keys are evicted loses jobs without a word.
    'maxmemory-policy noeviction',
    'loglevel notice',
    'logfile ""',
    ...settings,
    '',
  ].join('\n');
}

function readOutput(child: Child, lastLines: string[]): Promise<Step> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve('late'), READY_DEADLINE_MS);
    child.once('exit', () => clearTimeout(timer));
    child.once('error', reject);
    const onLine = (line: string) => {
      lastLines.push(line);
      if (lastLines.length > LAST_LINES) lastLines.shift();
      if (!line.includes('Ready to accept connections')) return;
      clearTimeout(timer);
      resolve('ready');
    };
    createInterface({ input: child.stdout }).on('line', onLine);
    createInterface({ input: child.stderr }).on('line', onLine);
  });
}

/** Takes the watch along: it holds descriptors of ours. */
function endOf(child: Child): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (status, signal) => {
      const reason = signal ? `signal ${signal}` : `status ${status}`;
      signalGroup(child.pid as number, 'SIGKILL');
      const timer = setTimeout(() => resolve(reason), LAST_WORDS_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(reason);
      });
    });
  });
}
