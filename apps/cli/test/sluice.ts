/** This file owns `sluice` as tests run it: built, in a process of its own, under a mark by which all it starts is found. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type TestContext } from 'vitest';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const MARK = 'SLUICE_TEST_MARK';
const LINE_DEADLINE_MS = 20_000;

export interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  /** Of `sluice` itself. */
  readonly pid: number;
  /** What has been written so far, both outputs together. */
  output(): string;
  /** The first group, or all, of the first match in the output; waits for it. */
  find(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Ids of living processes that it has started, at whatever depth, by a part of their command line. */
  processes(command: string): Promise<number[]>;
  signal(signal: NodeJS.Signals): void;
  /** SIGINT to the whole group, as a terminal sends it. */
  pressCtrlC(): void;
  /** Resolves when it has ended. */
  result: Promise<Result>;
  /** Rejects, naming them, when processes that it started still live. */
  expectNothingLeft(): Promise<void>;
}

interface Marked {
  mark: string;
  directory: string;
}

/** A folder that is gone after the test. */
export async function dataDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
  t.onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** `variables` add to an environment that names no Redis; whatever is left at the end of the test is killed. */
export function start(t: TestContext, args: readonly string[], variables: NodeJS.ProcessEnv = {}): Started {
  return launch(t, { command: process.execPath, args: [MAIN, ...args], variables });
}

/** A process group of its own, as a terminal makes one. */
export function launch(
  t: TestContext,
  options: { command: string; args: readonly string[]; variables: NodeJS.ProcessEnv; cwd?: string },
): Started {
  const { command, args, variables, cwd } = options;
  const mark = randomBytes(8).toString('hex');
  const own: Marked = { mark, directory: variables.SLUICE_DATA_DIR ?? '/nowhere' };
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...variables, [MARK]: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(cwd !== undefined && { cwd }),
  });
  let output = '';
  const result = collect(child, (text) => {
    output += text;
  });
  t.onTestFinished(async () => {
    for (const { pid } of await marked(own)) kill(pid);
    await result;
  });
  return {
    pid: child.pid as number,
    output: () => output,
    async find(pattern, timeoutMs = LINE_DEADLINE_MS) {
      const matches = expect
        .poll(() => output, { timeout: timeoutMs, message: `waited for ${pattern}` })
        .toMatch(pattern);
      // What has ended says no more: fail at once, with what it did say.
      await Promise.race([matches, result.then(() => expect(output).toMatch(pattern))]);
      const match = pattern.exec(output);
      return match?.[1] ?? match?.[0] ?? '';
    },
    processes: async (command) =>
      (await marked(own)).filter((each) => each.command.includes(command)).map(({ pid }) => pid),
    signal: (signal) => void child.kill(signal),
    pressCtrlC: () => void process.kill(-(child.pid as number), 'SIGINT'),
    result,
    async expectNothingLeft() {
      expect(await marked(own)).toEqual([]);
    },
  };
}

function collect(child: ChildProcess, onText: (text: string) => void): Promise<Result> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
      onText(text);
    });
  }
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, ...texts })));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has gone by itself meanwhile.
  }
}

/**
 * Living processes that inherited the mark, whoever their parent is by now, and those that work in `directory`:
 * redis-server writes its title over its environment. Reads /proc, so Linux alone.
 */
async function marked({ mark, directory }: Marked): Promise<{ pid: number; command: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      const isMarked = (await read('environ')).includes(`${MARK}=${mark}`);
      const place = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      if (!isMarked && !place.startsWith(directory)) return [];
      const command = (await read('cmdline')).replaceAll('\0', ' ').trim();
      return command === '' ? [] : [{ pid: Number(pid), command }];
    }),
  );
  return found.flat();
}
