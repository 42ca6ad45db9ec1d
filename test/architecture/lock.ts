/** This file owns what the lock file must hold so that `npm ci` works on every platform. */

interface Lock {
  packages: Readonly<
    Record<
      string,
      { optionalDependencies?: Readonly<Record<string, string>>; resolved?: string; link?: boolean }
    >
  >;
}

const DISPENSABLE = /^@msgpackr-extract\//;

/**
 * npm leaves out packages of other platforms when the registry does not have them, and `npm ci` then refuses the file.
 * It does not for `DISPENSABLE` ones, which msgpackr replaces by plain JavaScript.
 */
export function missingOptional(lock: Lock): string[] {
  return Object.entries(lock.packages).flatMap(([place, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !DISPENSABLE.test(name) && !isThere(lock, place, name))
      .map((name) => `${place || 'the root'} wants ${name}`),
  );
}

/** A lock file that names a mirror works only where the mirror does. */
export function foreignHosts(lock: Lock): string[] {
  const hosts = Object.values(lock.packages).flatMap(({ resolved, link }) =>
    resolved && !link ? [new URL(resolved).host] : [],
  );
  return [...new Set(hosts)].filter((host) => host !== 'registry.npmjs.org');
}

/** Node's way up: beside whoever wants it, then one folder further out, to the root. */
function isThere(lock: Lock, place: string, name: string): boolean {
  const parts = place.split('/node_modules/');
  for (let depth = parts.length; depth > 0; depth -= 1) {
    if (lock.packages[`${parts.slice(0, depth).join('/node_modules/')}/node_modules/${name}`]) return true;
  }
  return lock.packages[`node_modules/${name}`] !== undefined;
}
