// Puts what runs in production into a folder of its own: node deploy/release.mjs /opt/sluice
// The compiled apps and packages, and of node_modules what they need to run; no source, no test, no tool. After `npm run build`.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const APPS = ['api', 'worker', 'cli'];
const root = fileURLToPath(new URL('..', import.meta.url));
const [to] = process.argv.slice(2);
if (!to || existsSync(resolve(to, 'apps'))) {
  console.error(to ? `${to} holds a release already` : 'usage: node deploy/release.mjs <an empty folder>');
  process.exit(2);
}
const target = resolve(to);
mkdirSync(target, { recursive: true });
for (const file of ['package.json', 'LICENSE', 'README.md']) cpSync(join(root, file), join(target, file));
cpSync(join(root, 'deploy/bin'), join(target, 'bin'), { recursive: true });

const folders = [
  ...APPS.map((name) => join('apps', name)),
  ...readdirSync(join(root, 'packages')).map((name) => join('packages', name)),
];
for (const folder of folders) {
  if (!existsSync(join(root, folder, 'dist'))) {
    console.error(`${folder} is not built: npm run build`);
    process.exit(1);
  }
  for (const part of ['package.json', 'dist', 'bin']) copy(join(folder, part));
  linkModule(folder);
}
for (const path of productionModules()) copy(path);

/**
 * Folders of other people's packages that the apps need, by the lock file: dependencies, optional ones where they are
 * installed, and peers that are not optional.
 */
function productionModules() {
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const found = new Set();
  const visit = (name, from, isOptional) => {
    const place = placeOf(name, from, locked);
    if (place === undefined || !existsSync(join(root, place))) {
      if (isOptional) return;
      throw new Error(`${from} wants ${name}, which is not installed: npm ci`);
    }
    if (found.has(place)) return;
    found.add(place);
    visitAll(locked[place].link ? locked[place].resolved : place);
  };
  const visitAll = (place) => {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = locked[place];
    for (const name of Object.keys(dependencies ?? {})) visit(name, place, false);
    for (const name of Object.keys(optionalDependencies ?? {})) visit(name, place, true);
    for (const name of Object.keys(peerDependencies ?? {})) {
      if (!peerDependenciesMeta?.[name]?.optional) visit(name, place, false);
    }
  };
  for (const name of APPS) visitAll(`apps/${name}`);
  return [...found].filter((place) => !locked[place].link);
}

/** Node's way up: beside whoever wants it, then one folder further out, to the root. */
function placeOf(name, from, locked) {
  for (let at = from; at !== '.' && at !== ''; at = dirname(at)) {
    if (locked[`${at}/node_modules/${name}`]) return `${at}/node_modules/${name}`;
  }
  return locked[`node_modules/${name}`] && `node_modules/${name}`;
}

/** Without the modules below it, which are listed by themselves; without maps and declarations. */
function copy(path) {
  const from = join(root, path);
  if (!existsSync(from)) return;
  const isWanted = (each) => {
    const below = relative(from, each);
    return !/(^|\/)node_modules(\/|$)/.test(below) && !/\.(d\.[cm]?ts|map|tsbuildinfo)$/.test(below);
  };
  cpSync(from, join(target, path), { recursive: true, filter: isWanted });
}

/** `node_modules/@sluice/x`, as npm links a workspace. */
function linkModule(folder) {
  const { name } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const link = join(target, 'node_modules', name);
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(relative(dirname(link), join(target, folder)), link);
}
