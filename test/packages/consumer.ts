/**
 * This file owns a project that has nothing to do with this repository: empty, then with every package installed from what
 * `npm pack` made of it.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from '../e2e/product.ts';
import { closure, type LockPackages } from './lock-closure.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
export const run = promisify(execFile);
/** What the programs and checks of these tests need beside the packages. */
const BESIDE = ['typescript', '@types/node', 'tsx', 'express', '@types/express', 'hono', '@hono/node-server'];

export interface PackedPackage {
  name: string;
  /** The folder below `packages`. */
  directory: string;
  manifest: Manifest;
  /** Paths inside the package, sorted. */
  files: string[];
  integrity: string;
  tarball: string;
}

export interface Manifest {
  name: string;
  version: string;
  exports: Record<string, string | Record<string, string>>;
  dependencies?: Record<string, string>;
  [field: string]: unknown;
}

/** A private one is a part of the apps. */
function isPublished(directory: string): boolean {
  return !JSON.parse(readFileSync(join(ROOT, 'packages', directory, 'package.json'), 'utf8')).private;
}

/** Every package that is published, as npm would do it; `folder` takes the tarballs. */
export async function packAll(folder: string): Promise<PackedPackage[]> {
  await build();
  const directories = (await readdir(join(ROOT, 'packages'))).filter(isPublished).sort();
  const workspaces = directories.map((directory) => `--workspace=packages/${directory}`);
  const { stdout } = await npm(
    ['pack', '--json', '--silent', '--pack-destination', folder, ...workspaces],
    ROOT,
  );
  // npm answers a list, or, from 12 on, an object by name.
  const packed = Object.values(JSON.parse(stdout.slice(stdout.search(/^[[{]/m)))) as {
    name: string;
    filename: string;
    integrity: string;
    files: { path: string }[];
  }[];
  return directories.map((directory) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'packages', directory, 'package.json'), 'utf8'));
    const one = packed.find(({ name }) => name === manifest.name);
    if (!one) throw new Error(`npm packed nothing for ${manifest.name}`);
    return {
      name: one.name,
      directory,
      manifest,
      files: one.files.map(({ path }) => path).sort(),
      integrity: one.integrity,
      tarball: join(folder, one.filename.replace('@', '').replace('/', '-')),
    };
  });
}

/** A project with all of them installed; other people's packages in the versions of our lock file. */
export async function installConsumer(folder: string, packages: readonly PackedPackage[]): Promise<string> {
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')).packages as LockPackages;
  const project = join(folder, 'consumer');
  await mkdir(project);
  const ours = packages.map(({ name, tarball }) => [name, `file:${tarball}`] as const);
  const theirs = BESIDE.map((name) => [name, String(lock[`node_modules/${name}`]?.version)] as const);
  const manifest = {
    name: 'consumer',
    version: '1.0.0',
    private: true,
    type: 'module',
    dependencies: Object.fromEntries([...ours, ...theirs]),
  };
  const third = closure(lock, [...packages.map(({ name }) => name), ...BESIDE]);
  const installed = packages.map(({ name, manifest: { version, dependencies }, tarball, integrity }) => [
    `node_modules/${name}`,
    { version, resolved: `file:${tarball}`, integrity, dependencies },
  ]);
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
  await writeFile(
    join(project, 'package-lock.json'),
    JSON.stringify({
      name: 'consumer',
      version: '1.0.0',
      lockfileVersion: 3,
      requires: true,
      packages: { '': manifest, ...Object.fromEntries(installed), ...third },
    }),
  );
  try {
    await npm(['ci', '--prefer-offline', '--ignore-scripts', '--fetch-retries=0'], project);
  } catch (error) {
    if (!isWithoutNetwork(error)) throw error;
    await linkByHand(project, packages);
  }
  return project;
}

/** Neither npm's cache nor the network has what `npm ci` wants. */
function isWithoutNetwork(error: unknown): boolean {
  return /ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(
    String((error as Error).message),
  );
}

/** Our packages unpacked, all others as they lie in the repository. */
async function linkByHand(project: string, packages: readonly PackedPackage[]): Promise<void> {
  const modules = join(project, 'node_modules');
  await mkdir(modules, { recursive: true });
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (name !== '@sluice' && !name.startsWith('.'))
      await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  for (const { name, tarball, directory } of packages) {
    const home = join(modules, name);
    await mkdir(home, { recursive: true });
    await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', home]);
    const nested = join(ROOT, 'packages', directory, 'node_modules');
    await symlink(nested, join(home, 'node_modules'));
  }
}

export async function temporaryFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'sluice-packages-'));
}

function npm(args: readonly string[], cwd: string) {
  const program = join(dirname(process.execPath), 'npm');
  return run(program, [...args, '--no-audit', '--no-fund'], {
    cwd,
    maxBuffer: 64 * 1_048_576,
    timeout: 120_000,
  });
}
