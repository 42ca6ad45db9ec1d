/** This file owns the part of the repository's lock file that some packages need, as a lock file of a project of its own. */

export interface LockEntry {
  version?: string;
  resolved?: string;
  link?: boolean;
  dependencies?: Readonly<Record<string, string>>;
  optionalDependencies?: Readonly<Record<string, string>>;
  peerDependencies?: Readonly<Record<string, string>>;
  [field: string]: unknown;
}
export type LockPackages = Readonly<Record<string, LockEntry>>;

/**
 * Places in `node_modules` and what lies there: third-party packages that `names` (and what they depend on) resolve to in the
 * repository, found as Node finds them. Packages of the repository's own are left out, what they need is not.
 */
export function closure(lock: LockPackages, names: readonly string[]): Record<string, LockEntry> {
  const found: Record<string, LockEntry> = {};
  const visited = new Set<string>();
  const visit = (name: string, from: string): void => {
    const place = placeOf(lock, name, from);
    if (place === undefined || visited.has(place)) return;
    visited.add(place);
    const entry = lock[place] as LockEntry;
    const home = entry.link ? String(entry.resolved) : place;
    if (!entry.link) {
      const { dev: _, optionalDependencies: optional = {}, ...kept } = entry;
      // Of another platform, and left out of our lock file by npm; it would miss them in a new one.
      const there = Object.entries(optional).filter(([wanted]) => placeOf(lock, wanted, place) !== undefined);
      found[consumerPlace(lock, place)] = { ...kept, optionalDependencies: Object.fromEntries(there) };
    }
    const { dependencies, optionalDependencies, peerDependencies } = lock[home] as LockEntry;
    for (const wanted of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
      visit(wanted, home);
  };
  for (const name of names) visit(name, '');
  return found;
}

/** `packages/jobs/node_modules/x` is `node_modules/@sluice/jobs/node_modules/x` where `@sluice/jobs` is installed. */
function consumerPlace(lock: LockPackages, place: string): string {
  const [home = '', ...below] = place.split('/node_modules/');
  const linked = Object.keys(lock).find((name) => lock[name]?.link && lock[name]?.resolved === home);
  return linked && below.length > 0 ? [linked, ...below].join('/node_modules/') : place;
}

function placeOf(lock: LockPackages, name: string, from: string): string | undefined {
  for (let at = from; at !== ''; at = at.includes('/') ? at.slice(0, at.lastIndexOf('/')) : '') {
    if (!at.endsWith('node_modules') && lock[`${at}/node_modules/${name}`])
      return `${at}/node_modules/${name}`;
  }
  return lock[`node_modules/${name}`] && `node_modules/${name}`;
}
