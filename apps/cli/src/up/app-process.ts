/** This file owns the API or the worker as a child process: spawned, listened to line by line, ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { EnvironmentVariables } from '@sluice/config';
import type { MemberEnd, MemberRun } from './member.ts';

export type AppName = 'api' | 'worker';

const LAST_LINES = 20;
/** What an app started may hold its output open after it has gone. */
const LAST_WORDS_MS = 500;
/** Run from source, apps are started from source, by the same loader (`process.execArgv`). */
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const FOLDER = EXTENSION === 'ts' ? 'src' : 'dist';
const LEAVE_WITH_PARENT = new URL(`./leave-with-parent.${EXTENSION}`, import.meta.url).href;

/**
 * Starts an app in a process group of its own, so that Ctrl-C reaches us alone and we tell it once; it leaves by
 * itself when we are killed. `onLine` gets each line of either output.
 */
export function spawnApp(options: {
  name: AppName;
  environment: EnvironmentVariables;
  onLine: (line: string) => void;
}): MemberRun {
  const { name, environment, onLine } = options;
  const main = fileURLToPath(new URL(`../../../${name}/${FOLDER}/main.${EXTENSION}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, '--import', LEAVE_WITH_PARENT, main], {
    env: environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lastLines: string[] = [];
  const read = (line: string) => {
    lastLines.push(line);
    if (lastLines.length > LAST_LINES) lastLines.shift();
    onLine(line);
  };
  for (const output of [child.stdout, child.stderr])
    createInterface({ input: output as Readable }).on('line', read);
  const kill = () => killGroup(child);
  process.once('exit', kill);
  const ended = endOf(child).then((reason): MemberEnd => {
    process.off('exit', kill);
    return { reason, lastLines };
  });
  return {
    ended,
    async stop(deadline) {
      child.kill('SIGTERM');
      if (deadline.aborted) kill();
      deadline.addEventListener('abort', kill);
      await ended;
      deadline.removeEventListener('abort', kill);
    },
  };
}

/** With whatever it has started itself. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, 'SIGKILL');
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (status, signal) => {
      const reason = signal ? `signal ${signal}` : `status ${status}`;
      const timer = setTimeout(() => resolve(reason), LAST_WORDS_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(reason);
      });
    });
  });
}
