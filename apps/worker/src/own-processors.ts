/** This file owns the users' own jobs: a folder of ES modules, each with one job as its default export. */
import { readdir } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type CatalogEntry, type JobDefinition, jobFault, provideModules } from '@sluice/jobs';

/** A folder that cannot be used; `message` says which file, what is wrong, and how to mend it. */
export class ProcessorsError extends Error {
  constructor(folder: string, faults: readonly string[]) {
    super(
      `The jobs in ${folder} (WORKER_PROCESSORS) cannot be loaded:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.name = 'ProcessorsError';
  }
}

const MODULE_EXTENSIONS = ['.js', '.mjs', '.ts', '.mts'];
const IGNORED = /^[._]|\.(test|spec)\.|\.d\.m?ts$/;

/**
 * Loads every module of `folder` (not of folders in it), in the order of their names. Files that begin with `.` or `_`,
 * tests and declarations are passed over. Throws `ProcessorsError` with every fault of every file.
 */
export async function loadProcessors(folder: string): Promise<CatalogEntry[]> {
  const directory = resolve(folder);
  provideModules();
  const faults: string[] = [];
  const entries: CatalogEntry[] = [];
  for (const file of await moduleFiles(directory)) {
    const module = pathToFileURL(join(directory, file));
    try {
      const exported = (await import(module.href)) as { default?: unknown };
      const fault = 'default' in exported ? jobFault(exported.default) : noDefault(exported);
      if (fault === undefined) entries.push({ job: exported.default as JobDefinition, origin: file, module });
      else faults.push(`${file}: ${fault}`);
    } catch (error) {
      faults.push(`${file}: ${loadFault(error, file)}`);
    }
  }
  if (faults.length > 0) throw new ProcessorsError(directory, faults);
  return entries;
}

async function moduleFiles(directory: string): Promise<string[]> {
  try {
    const found = await readdir(directory, { withFileTypes: true });
    return found
      .filter(
        (entry) =>
          !entry.isDirectory() &&
          MODULE_EXTENSIONS.includes(extname(entry.name)) &&
          !IGNORED.test(entry.name),
      )
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    throw new ProcessorsError(directory, [
      `the folder cannot be read (${(error as NodeJS.ErrnoException).code}): give the path of a folder`,
    ]);
  }
}

function noDefault(exported: object): string {
  const others = Object.keys(exported).join(', ');
  return `it has no default export${others && ` (only ${others})`}: write 'export default defineJob({ … })'`;
}

function loadFault(error: unknown, file: string): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return `TypeScript runs here only under a loader: start the worker with 'node --import tsx', or compile ${file} to .js`;
  }
  const [first] = String(message ?? error).split('\n');
  return `it cannot be imported: ${first}`;
}
