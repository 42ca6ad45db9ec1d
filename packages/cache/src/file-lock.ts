/**
 * This file owns mutual exclusion between processes that share a folder: a lock is a file that only one of them can
 * create. Inside a process callers queue in order; between processes they try again until a deadline.
 *
 * A holder that died leaves its file behind. It is taken away when its process is gone, or when it is older than any
 * holder works. Who takes it away holds a second file meanwhile, so that two never do it for the same lock.
 */
import { randomBytes } from 'node:crypto';
import { link, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { refuse } from './rules.ts';

/** A holder reads and writes a few files; ten seconds mean it is dead or its machine slept. */
const STALE_AFTER_MS = 10_000;
const WAIT_MS = 1_500;
const MAX_PAUSE_MS = 10;

export class FileLock {
  readonly #folder: string;
  readonly #queues = new Map<string, Promise<unknown>>();

  /** `folder` must exist. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Runs `work` while no other holder of `name` works, here or in another process. Throws `storage_busy` after 1.5 s. */
  hold<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(name) ?? Promise.resolve();
    const run = before.then(() => this.#holdFile(name, work));
    const settled = run.then(nothing, nothing);
    this.#queues.set(name, settled);
    void settled.then(() => {
      if (this.#queues.get(name) === settled) this.#queues.delete(name);
    });
    return run;
  }

  /** Holds several, always taken in the same order, so that two callers never wait for each other. */
  holdAll<T>(names: Iterable<string>, work: () => Promise<T>): Promise<T> {
    const [first, ...rest] = [...new Set(names)].sort();
    if (first === undefined) return work();
    return this.hold(first, () => this.holdAll(rest, work));
  }

  async #holdFile<T>(name: string, work: () => Promise<T>): Promise<T> {
    const path = join(this.#folder, `${name}.lock`);
    await acquire(path);
    try {
      return await work();
    } finally {
      await unlink(path).catch(ignoreAbsent);
    }
  }
}

async function acquire(path: string): Promise<void> {
  const mark = `${hostname()} ${process.pid} ${randomBytes(6).toString('hex')}`;
  const endsAt = performance.now() + WAIT_MS;
  while (!(await create(path, mark))) {
    if (await isAbandoned(path)) await takeAway(path);
    else if (performance.now() > endsAt)
      throw refuse('storage_busy', `The cache's folder is locked for longer than ${WAIT_MS} ms.`);
    else await delay(1 + Math.random() * MAX_PAUSE_MS);
  }
}

/** Written aside and linked into place: a lock that its holder was killed over is never one that names nobody. */
async function create(path: string, mark: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, mark, { flag: 'wx', mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft).catch(ignoreAbsent);
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    const [mark, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    if (Date.now() - mtimeMs > STALE_AFTER_MS) return true;
    const [host, pid] = mark.split(' ');
    return host === hostname() && Number(pid) > 0 && !isAlive(Number(pid));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function takeAway(path: string): Promise<void> {
  const guard = `${path}.taking`;
  if (!(await create(guard, String(process.pid)))) {
    const { mtimeMs } = await stat(guard).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > STALE_AFTER_MS) await unlink(guard).catch(ignoreAbsent);
    else await delay(1 + Math.random() * MAX_PAUSE_MS);
    return;
  }
  try {
    // Another may have taken it away and locked anew since we looked.
    if (await isAbandoned(path)) await unlink(path).catch(ignoreAbsent);
  } finally {
    await unlink(guard).catch(ignoreAbsent);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, and another user's.
    return codeOf(error) !== 'ESRCH';
  }
}

export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

export function ignoreAbsent(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}

function nothing(): void {}
