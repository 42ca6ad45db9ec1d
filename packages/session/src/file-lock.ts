/**
 * This file owns mutual exclusion between processes that share a directory: a lock file made with O_EXCL, which names
 * its holder, so that the lock of a dead one is broken.
 */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { sessionError } from './session.ts';

/** No change takes this long; a holder this old on another host, where its pid says nothing, has died. */
const ABANDONED_AFTER_MS = 10_000;
const RETRY_EVERY_MS = 5;

export interface FileLock {
  /** False when the lock was broken, because its holder had seemed dead; nothing may be written then. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

/** Takes the lock at `path`, waiting at most `waitMs` (else `storage_busy`). */
export async function takeFileLock(path: string, waitMs: number): Promise<FileLock> {
  const mark = `${hostname()} ${process.pid} ${randomBytes(8).toString('hex')}`;
  const deadline = performance.now() + waitMs;
  while (!(await claim(path, mark))) {
    await breakAbandoned(path);
    if (performance.now() > deadline) {
      throw sessionError(
        'storage_busy',
        `Another process has held the lock of this user's sessions for ${waitMs} ms.`,
      );
    }
    await pause(RETRY_EVERY_MS);
  }
  const isHeld = async () => (await readMark(path)) === mark;
  return {
    isHeld,
    release: async () => {
      if (await isHeld()) await unlinkIfThere(path);
    },
  };
}

async function claim(path: string, mark: string): Promise<boolean> {
  // Written first and linked into place, so that no one ever reads a lock without its holder.
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(mark);
    await link(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await file.close();
    await unlinkIfThere(draft);
  }
}

async function breakAbandoned(path: string): Promise<void> {
  const judged = await readMark(path);
  if (judged === undefined || (isAlive(judged) && (await ageMs(path)) < ABANDONED_AFTER_MS)) return;
  const aside = `${path}.broken-${randomBytes(8).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  // Another process may have broken it first and locked anew: that lock goes back. Its holder asks `isHeld` before writing.
  if ((await readMark(aside)) !== judged) await link(aside, path).catch(ignoreExisting);
  await unlinkIfThere(aside);
}

/** True also for a process of another host, of which nothing is known. */
function isAlive(mark: string): boolean {
  const [host, pid] = mark.split(' ');
  if (host !== hostname()) return true;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

async function readMark(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function ageMs(path: string): Promise<number> {
  try {
    return Date.now() - (await stat(path)).mtimeMs;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function ignoreExisting(error: unknown): void {
  if (errorCode(error) !== 'EEXIST') throw error;
}

function errorCode(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
