/**
 * This file owns records on disk: one file a key under `{folder}/{hh}/{sha256 of the key}`, replaced whole by a rename,
 * so that a reader sees the old record or the new one and a crash leaves one of them.
 *
 * A record is a line of JSON (key, end of life, length) and the bytes. Nothing is forced to the platter: after a power
 * cut a record may be gone or torn, and a torn one counts as absent.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@sluice/runtime';
import { refuse } from './rules.ts';

export interface FileRecord {
  key: string;
  bytes: Buffer;
  /** Milliseconds since the epoch; `null` never. */
  expiresAt: number | null;
}

export interface Shelf {
  /** Names of the record files, sorted. */
  names: string[];
  /** Half-written files of writers that died. */
  remnants: string[];
}

const LINE_FEED = 0x0a;
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** No writer takes so long between creating its temporary file and renaming it. */
const REMNANT_AFTER_MS = 60_000;

/** The 256 folders, `00` to `ff`. */
export const SHELVES = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, '0'));

export function shelfOf(key: string): string {
  return nameOf(key).slice(0, 2);
}

export function nameOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

export class FileTable {
  readonly #folder: string;
  readonly #clock: Clock;

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** The record, or `null` when there is none or its time is over. */
  async read(key: string): Promise<FileRecord | null> {
    const record = await this.readNamed(nameOf(key));
    return record && this.isLive(record) ? record : null;
  }

  /** The record in a file of this name, expired ones too. */
  async readNamed(name: string): Promise<FileRecord | null> {
    try {
      return parse(await readFile(this.#path(name)));
    } catch (error) {
      ignoreAbsent(error);
      return null;
    }
  }

  isLive(record: FileRecord): boolean {
    return record.expiresAt === null || record.expiresAt > this.#clock.now();
  }

  /** Throws `storage_full` when the disk is. */
  async write(key: string, bytes: Buffer | string, expiresAt: number | null): Promise<void> {
    const name = nameOf(key);
    const body = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const head = Buffer.from(`${JSON.stringify({ key, expiresAt, length: body.length })}\n`);
    const path = this.#path(name);
    const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await this.#draft(draft, name, Buffer.concat([head, body]));
      await rename(draft, path);
    } catch (error) {
      await unlink(draft).catch(ignoreAbsent);
      if (codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT')
        throw refuse('storage_full', "The cache's disk is full.");
      throw error;
    }
  }

  /** True when a record was there, be its time over or not. */
  async remove(key: string): Promise<boolean> {
    return await this.removeNamed(nameOf(key));
  }

  async removeNamed(name: string): Promise<boolean> {
    try {
      await unlink(this.#path(name));
      return true;
    } catch (error) {
      ignoreAbsent(error);
      return false;
    }
  }

  async shelf(shelf: string): Promise<Shelf> {
    const files = await readdir(join(this.#folder, shelf)).catch((error: unknown) => {
      ignoreAbsent(error);
      return [];
    });
    return {
      names: files.filter((file) => !file.endsWith('.tmp')).sort(),
      remnants: files.filter((file) => file.endsWith('.tmp')),
    };
  }

  /** Removes a half-written file when its writer must be dead. */
  async removeRemnant(shelf: string, file: string): Promise<void> {
    const path = join(this.#folder, shelf, file);
    try {
      if (Date.now() - (await stat(path)).mtimeMs > REMNANT_AFTER_MS) await unlink(path);
    } catch (error) {
      ignoreAbsent(error);
    }
  }

  async #draft(draft: string, name: string, bytes: Buffer): Promise<void> {
    const write = () => writeFile(draft, bytes, { mode: FILE_MODE });
    try {
      await write();
    } catch (error) {
      ignoreAbsent(error);
      await mkdir(join(this.#folder, name.slice(0, 2)), { recursive: true, mode: FOLDER_MODE });
      await write();
    }
  }

  #path(name: string): string {
    return join(this.#folder, name.slice(0, 2), name);
  }
}

function parse(file: Buffer): FileRecord | null {
  const headEnd = file.indexOf(LINE_FEED);
  if (headEnd === -1) return null;
  const bytes = file.subarray(headEnd + 1);
  try {
    const head = JSON.parse(file.toString('utf8', 0, headEnd)) as {
      key: string;
      expiresAt: number | null;
      length: number;
    };
    return head.length === bytes.length ? { key: head.key, expiresAt: head.expiresAt, bytes } : null;
  } catch {
    // Torn by a power cut.
    return null;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

function ignoreAbsent(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
