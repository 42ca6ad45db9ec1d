/** This file owns reading the repository as text: its sources, their imports, their manifests. Nothing is run. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Source {
  /** From the root, with `/`. */
  path: string;
  /** `packages/cache`, `apps/api`, `examples`, … or `''` for the root's own. */
  workspace: string;
  /** Product code; else a test, a bench, an example. */
  isProduct: boolean;
  text: string;
  /** Without comments. */
  code: string;
  /** What follows `from`, `import` or `import(`, as written. */
  imports: readonly string[];
}

export interface Manifest {
  name: string;
  dependencies: Readonly<Record<string, string>>;
  devDependencies: Readonly<Record<string, string>>;
  optionalDependencies: Readonly<Record<string, string>>;
}

export interface Tree {
  sources: readonly Source[];
  /** By workspace; the root's own under `''`. */
  manifests: ReadonlyMap<string, Manifest>;
}

const ROOT = new URL('../../', import.meta.url).pathname;
const TOP = ['packages', 'apps', 'examples', 'bench', 'test'];
const LEFT_OUT = new Set(['node_modules', 'dist', '.turbo', '.sluice', 'results', 'coverage']);

export function readTree(): Tree {
  const sources = TOP.flatMap((folder) => files(folder))
    .filter((path) => /\.(ts|lua)$/.test(path) && !path.endsWith('.d.ts'))
    .map((path) => sourceOf(path, readFileSync(join(ROOT, path), 'utf8')));
  const workspaces = [...new Set(sources.map(({ workspace }) => workspace))];
  return { sources, manifests: new Map(workspaces.flatMap((workspace) => manifestOf(workspace))) };
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function sourceOf(path: string, text: string): Source {
  const workspace = /^((packages|apps)\/[^/]+|examples|bench)\//.exec(path)?.[1] ?? '';
  const code = path.endsWith('.lua') ? withoutLuaComments(text) : withoutComments(text);
  return {
    path,
    workspace,
    isProduct: /^(packages|apps)\/[^/]+\/src\//.test(path) && !/\/testing[^/]*\.ts$/.test(path),
    text,
    code,
    imports: path.endsWith('.ts') ? importsOf(code) : [],
  };
}

function files(folder: string): string[] {
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(folder);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return [];
    throw error;
  }
  return entries.flatMap((entry) => {
    if (LEFT_OUT.has(entry.name)) return [];
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? files(path) : [path];
  });
}

function entriesOf(folder: string) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true });
}

function manifestOf(workspace: string): [string, Manifest][] {
  const path = workspace === '' ? 'package.json' : `${workspace}/package.json`;
  const {
    name,
    dependencies = {},
    devDependencies = {},
    optionalDependencies = {},
  } = JSON.parse(readText(path));
  return [[workspace, { name, dependencies, devDependencies, optionalDependencies }]];
}

/** Comments that begin a line or follow a blank, as the formatter leaves them; `//` and a star inside strings do not. */
function withoutComments(text: string): string {
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, '').replace(/(^|[ \t])\/\/ .*$/gm, '$1');
}

function withoutLuaComments(text: string): string {
  return text.replace(/(^|\s)--.*$/gm, '$1');
}

function importsOf(code: string): string[] {
  const statements = code.matchAll(
    /^\s*(?:import|export)\b[^'";]*?\bfrom\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm,
  );
  return [...statements].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}
