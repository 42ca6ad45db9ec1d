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
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from './errors.ts';

/** A holder reads and writes a few files; ten seconds mean it is dead or its machine slept. */
const STALE_AFTER_MS = 10_000;
/** A request has two seconds in all. */
const DEFAULT_WAIT_MS = 1_500;
const MAX_PAUSE_MS = 10;

/** What a holder knows of its lock. */
export interface HeldLock {
  /** False when it was taken away, because its holder had seemed dead: what the lock guards is not to be written then. */
  isHeld(): Promise<boolean>;
}

export class FileLock {
  readonly #waitMs: number;
  readonly #queues = new Map<string, Promise<unknown>>();

  /** `waitMs`: how long one waits for another process, 1,500 by default. */
  constructor({ waitMs = DEFAULT_WAIT_MS }: { waitMs?: number } = {}) {
    this.#waitMs = waitMs;
  }

  /**
   * Runs `work` while no other holder of the file at `path` works, here or in another process. Its folder must exist.
   * Throws `storage_busy` when another process holds it for too long.
   */
  hold<T>(path: string, work: (lock: HeldLock) => Promise<T>): Promise<T> {
    const before = this.#queues.get(path) ?? Promise.resolve();
    const run = before.then(() => this.#holdFile(path, work));
    const settled = run.then(nothing, nothing);
    this.#queues.set(path, settled);
    void settled.then(() => {
      if (this.#queues.get(path) === settled) this.#queues.delete(path);
    });
    return run;
  }

  /** Holds several, always taken in the same order, so that two callers never wait for each other. */
  holdAll<T>(paths: Iterable<string>, work: () => Promise<T>): Promise<T> {
    const [first, ...rest] = [...new Set(paths)].sort();
    if (first === undefined) return work();
    return this.hold(first, () => this.holdAll(rest, work));
  }

  async #holdFile<T>(path: string, work: (lock: HeldLock) => Promise<T>): Promise<T> {
    const mark = `${hostname()} ${process.pid} ${randomBytes(6).toString('hex')}`;
    await this.#acquire(path, mark);
    const isHeld = async () => (await readMark(path)) === mark;
    try {
      return await work({ isHeld });
    } finally {
      if (await isHeld()) await unlink(path).catch(ignoreAbsent);
    }
  }

  async #acquire(path: string, mark: string): Promise<void> {
    const endsAt = performance.now() + this.#waitMs;
    while (!(await create(path, mark))) {
      if (await isAbandoned(path)) await takeAway(path);
      else if (performance.now() > endsAt)
        throw new DomainError(
          'storage_busy',
          `Another process has held the lock of these files for ${this.#waitMs} ms.`,
        );
      else await delay(1 + Math.random() * MAX_PAUSE_MS);
    }
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
    // Of a process of another host nothing is known.
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

async function readMark(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
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

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

function ignoreAbsent(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}

function nothing(): void {}
