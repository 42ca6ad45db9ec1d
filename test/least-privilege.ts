/** This file owns the Redis users of the tests: made from the very lines of docs/security.md that an operator copies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, '../docs/security.md');

/** Of the product, in every role at once. */
export const PRODUCT_USER = 'sluice';

/** The lines of the page as an operator copies them, with a prefix and a password of his own. */
export function publishedLines(prefix: string, password: string): { renames: string[]; users: string[] } {
  const lines = [...readFileSync(PAGE, 'utf8').matchAll(/^(?:user|rename-command) .+$/gm)].map(([line]) =>
    line.replaceAll('dreamfactory', prefix).replaceAll('PASSWORD', password),
  );
  return {
    renames: lines.filter((line) => line.startsWith('rename-command ')),
    users: lines.filter((line) => line.startsWith('user ')),
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
  return [...renames, `user ${PRODUCT_USER} on >${password} ${selectors.join(' ')}`];
}

/** The entries of `ACL LOG` in words: user, reason, where, the command or key that was refused, and the command it came with. */
export function refusalsOf(log: unknown): string[] {
  return (log as unknown[][]).map((entry) => {
    const fields = new Map(
      entry.flatMap((name, at) => (at % 2 === 0 ? [[name, entry[at + 1]] as const] : [])),
    );
    const [user, reason, context, object] = ['username', 'reason', 'context', 'object'].map((name) =>
      String(fields.get(name)),
    );
    const command = / cmd=(\S+)/.exec(String(fields.get('client-info')))?.[1];
    return `${user} ${reason} ${context} ${object} (${command})`;
  });
}
