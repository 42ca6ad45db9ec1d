/** This file owns the Redis users of the tests: made from the very lines of docs/security.md that an operator copies. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PAGE = fileURLToPath(new URL('../../../docs/security.md', import.meta.url));
const ROLES = ['cache', 'queue', 'session', 'limit', 'channel'];

/** Of the product, in every role at once. */
export const PRODUCT_USER = 'sluice';
export const PRODUCT_PASSWORD = 'of-the-product';
/** The same as the environment of the product has it, for a Redis without a URL. */
export const PRODUCT_ENTRY = { REDIS_USERNAME: PRODUCT_USER, REDIS_PASSWORD: PRODUCT_PASSWORD };
/** Of the user `default`, who may everything, for what a test does to Redis itself. */
export const ADMIN_PASSWORD = 'of-the-administrator';
/** Of the servers among themselves. */
const SERVER_PASSWORD = 'of-the-servers';
const ACL_LOG_LENGTH = 1_000;

/** The lines of the page as an operator copies them, with a prefix and a password of his own. */
export function publishedLines(
  prefix: string,
  password: string,
): {
  renames: string[];
  /** Of the product, one a role, and of nobody else. */
  users: string[];
  /** For a server with replicas or Sentinels, beside the users of the product. */
  servers: string[];
  /** For a Sentinel. */
  sentinels: string[];
} {
  const all = [
    ...readFileSync(PAGE, 'utf8').matchAll(
      /^(?:user|rename-command|masteruser|masterauth|sentinel auth-\w+) .+$/gm,
    ),
  ].map(([line]) => line.replaceAll('dreamfactory', prefix).replaceAll('PASSWORD', password));
  const beginning = (pattern: RegExp) => all.filter((line) => pattern.test(line));
  return {
    renames: beginning(/^rename-command /),
    users: beginning(new RegExp(`^user (sluice-(${ROLES.join('|')})|default) `)),
    servers: beginning(/^(user sluice-(replica|sentinel)|masteruser|masterauth) /),
    sentinels: beginning(/^(user sluice-lookup|sentinel auth-\w+) /),
  };
}

/**
 * Lines of redis.conf for the commands that the page takes away and for `PRODUCT_USER`, who may what the users of the page may
 * together: each of theirs is a selector of his, so that none lends its commands to the keys of another. `prefix` may be a
 * pattern. `programs` are areas of keys of programs that use the session store by itself; default none.
 */
export function productUser(options: {
  prefix: string;
  password: string;
  programs?: readonly string[];
}): string[] {
  const { prefix, password, programs = [] } = options;
  const { renames, users } = publishedLines(prefix, password);
  const rights = new Map(
    users.flatMap((line) => {
      const [, role, right] = /^user sluice-(\w+) on >\S+ resetchannels (.+)$/.exec(line) ?? [];
      return role && right ? [[role, right] as const] : [];
    }),
  );
  const session = rights.get('session') ?? '';
  const theirs = programs.map((area) => session.replace(':session:', `:${area}:`));
  const selectors = [...rights.values(), ...theirs].map((each) => `(${each})`);
  return [
    `acllog-max-len ${ACL_LOG_LENGTH}`,
    ...renames,
    `user ${PRODUCT_USER} on >${password} ${selectors.join(' ')}`,
  ];
}

/**
 * Lines of redis.conf for a server that the product enters as `PRODUCT_USER`, others of its kind as the page has it, and an
 * administrator with `ADMIN_PASSWORD`. `prefix` may be a pattern; default any. `isAnyKey` leaves him his commands on keys and
 * channels of no role, for tests of what knows of none.
 */
export function guardedServer({ prefix = '*', isAnyKey = false } = {}): string[] {
  const own = productUser({ prefix, password: PRODUCT_PASSWORD });
  return [
    ...(isAnyKey ? own.map((line) => line.replaceAll(/ ([~&])\S+/g, ' $1*')) : own),
    ...publishedLines(prefix, SERVER_PASSWORD).servers,
    `requirepass ${ADMIN_PASSWORD}`,
  ];
}

/** Lines of sentinel.conf, after those that say what is watched under the name `master`, for the same in Sentinels. */
export function guardedSentinel(master: string): string[] {
  const own = publishedLines('', PRODUCT_PASSWORD).sentinels.filter((line) => line.startsWith('user '));
  const entry = publishedLines('', SERVER_PASSWORD).sentinels.filter((line) => !line.startsWith('user '));
  return [
    `acllog-max-len ${ACL_LOG_LENGTH}`,
    ...entry.map((line) => line.replace(' mymaster ', ` ${master} `)),
    ...own.map((line) => line.replace('user sluice-lookup ', `user ${PRODUCT_USER} `)),
    `requirepass ${ADMIN_PASSWORD}`,
  ];
}

/** Lines of a file of settings as arguments of the server's command line. */
export function argumentsOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => `--${line}`.split(' ').map((word) => (word === '""' ? '' : word)));
}

/** The URL of a server that `guardedServer` describes, as the product enters it. */
export function productUrl(port: number, host = '127.0.0.1'): string {
  return `redis://${PRODUCT_USER}:${PRODUCT_PASSWORD}@${host}:${port}/0`;
}
