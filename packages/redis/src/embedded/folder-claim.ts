/**
 * This file owns the claim on a data folder: one living process at a time. The claim is a file made by `link`, which
 * refuses when the name exists; a claim whose process is gone is taken over. It does not reach across machines or
 * containers that share a folder: they do not see each other's processes.
 */
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

export type FolderClaim = { isOurs: true; release(): Promise<void> } | { isOurs: false; holder: number };

const CLAIM_FILE = 'owner.json';
const ATTEMPTS = 10;

export async function claimFolder(directory: string): Promise<FolderClaim> {
  const path = join(directory, CLAIM_FILE);
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const ours = JSON.stringify(await identify(process.pid));
  await writeFile(draft, ours, { mode: 0o600 });
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      if (await linkIfAbsent(draft, path)) return { isOurs: true, release: () => rm(path, { force: true }) };
      const found = await readFile(path, 'utf8').catch(() => undefined);
      if (found === undefined) continue;
      const holder = parse(found);
      if (holder && (await isAlive(holder))) return { isOurs: false, holder: holder.pid };
      await discard(path, found);
    }
    throw new Error(`${path} changed hands ${ATTEMPTS} times while we asked for it`);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Moves the dead claim away first: of two that found it dead, the slower one may have moved the other's new claim, and puts it back. */
async function discard(path: string, dead: string): Promise<void> {
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    // The other one was faster; the next attempt sees what it left.
    return;
  }
  if ((await readFile(aside, 'utf8')) !== dead) await linkIfAbsent(aside, path);
  await rm(aside, { force: true });
}

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function parse(text: string): ProcessIdentity | undefined {
  try {
    const { pid, born } = JSON.parse(text) as Partial<ProcessIdentity>;
    return typeof pid === 'number' && typeof born === 'string' ? { pid, born } : undefined;
  } catch {
    // Not a claim of ours; a dead one.
    return undefined;
  }
}
