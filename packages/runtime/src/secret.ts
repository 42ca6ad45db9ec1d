/** This file owns the master secret of an installation: given, or made once on disk; every other secret is derived from it. */
import { hkdfSync, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** 32 characters of hex are 128 bits, the least that HKDF should be fed. */
export const MASTER_SECRET_MIN_CHARACTERS = 32;

const FILE_NAME = 'secret';
const DERIVED_BYTES = 32;

/**
 * The secret given as `value`, or the one in `<directory>/secret`, which the first process to ask creates (mode 0600).
 *
 * Processes that start together agree: the file appears whole, under its name, once. Losing it makes API keys, leases
 * and signatures made with it worthless, so an installation of several machines gives `value` to all of them.
 * Throws `TypeError` when `value` is too short, `Error` when the file cannot be made or holds no secret.
 */
export async function loadMasterSecret(options: {
  value?: string | undefined;
  directory: string;
}): Promise<Buffer> {
  const { value, directory } = options;
  if (value !== undefined) {
    if (value.length < MASTER_SECRET_MIN_CHARACTERS) {
      throw new TypeError(
        `the master secret has ${value.length} characters, wanted at least ${MASTER_SECRET_MIN_CHARACTERS}`,
      );
    }
    return Buffer.from(value, 'utf8');
  }
  const path = join(directory, FILE_NAME);
  const text = (await readIfThere(path)) ?? (await createSecret(directory, path));
  if (text.length < MASTER_SECRET_MIN_CHARACTERS) {
    throw new Error(
      `${path} holds ${text.length} characters, which is no master secret; restore it, or remove it to begin anew`,
    );
  }
  return Buffer.from(text, 'utf8');
}

/** 32 bytes for one purpose (HKDF-SHA256, RFC 5869): knowing one derived secret tells nothing of another or of the master. */
export function deriveSecret(master: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), `sluice/${purpose}`, DERIVED_BYTES));
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A whole file under another name, then a hard link to the real one: the first link wins and readers never see half a secret. */
async function createSecret(directory: string, path: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const draft = join(directory, `.${FILE_NAME}-${randomBytes(6).toString('hex')}`);
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString('hex')}\n`);
    await file.sync();
    await link(draft, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await file.close();
    await unlink(draft);
  }
  return (await readFile(path, 'utf8')).trim();
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
