/** This file owns what a data folder remembers of its server: the port to come back to, the password, the process to look for. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessIdentity } from './process-identity.ts';
import type { EmbeddedKind } from './started-server.ts';

export interface ServerRecord {
  kind: EmbeddedKind;
  port: number;
  password: string;
  /** The process that serves: the child, or the one that runs the in-process server. May be long dead. */
  process: ProcessIdentity | undefined;
}

const RECORD_FILE = 'server.json';

/** `undefined` when there is none, or none that can be read: the server then begins with a new port and password. */
export async function readRecord(directory: string): Promise<ServerRecord | undefined> {
  const text = await readFile(join(directory, RECORD_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as Partial<ServerRecord>;
    const isWhole =
      typeof record.port === 'number' && typeof record.password === 'string' && record.kind !== undefined;
    return isWhole ? (record as ServerRecord) : undefined;
  } catch {
    // Cut short by a full disk or written by hand.
    return undefined;
  }
}

export async function writeRecord(directory: string, record: ServerRecord): Promise<void> {
  const path = join(directory, RECORD_FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
