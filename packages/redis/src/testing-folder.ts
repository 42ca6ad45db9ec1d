/** This file owns where servers of tests keep their files: in memory, so that no test waits for a slow disk. */
import { mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
/** Containers give 64 MiB by default, which an append-only file may fill. */
const WANTED_BYTES = 1024 ** 3;

/**
 * A new folder, for the caller to remove. In memory where 1 GiB of it is free, else among the system's temporary files.
 * What a killed server has written there is kept as on a disk; only a machine that goes down would lose it.
 */
export async function serverFolder(name: string): Promise<string> {
  return await mkdtemp(join((await hasMemory()) ? MEMORY : tmpdir(), `sluice-${name}-`));
}

async function hasMemory(): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(MEMORY);
    return bavail * bsize >= WANTED_BYTES;
  } catch {
    // There is none but on Linux.
    return false;
  }
}
