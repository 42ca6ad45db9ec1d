/** This file owns what Redis has refused to the product in a test: read from its own log, and a fault of the test's. */
import type { RedisConfig } from '@sluice/config';
import { close, connect, untilReady } from './connect.ts';
import { PRODUCT_USER } from './testing-user.ts';

const LOG_LENGTH = 1_000;
const TIMEOUT_MS = 5_000;

export class Refusals {
  readonly #admin: RedisConfig;
  readonly #found = new Set<string>();

  /** `admin` is how somebody enters who may read the log. */
  constructor(admin: RedisConfig) {
    this.#admin = admin;
  }

  /** Remembers what the log has now, for a server that is about to end. Rejects when the server does not answer. */
  async collect(): Promise<void> {
    const client = connect({ config: this.#admin, profile: 'worker', name: 'test-acl-log' });
    try {
      await untilReady(client, TIMEOUT_MS);
      for (const each of ofTheProduct(refusalsOf(await client.call('ACL', 'LOG', LOG_LENGTH))))
        this.#found.add(each);
    } finally {
      await close(client);
    }
  }

  /** Throws when there were any. */
  assertNone(): void {
    if (this.#found.size > 0)
      throw new Error(`Redis has refused the product:\n${[...this.#found].join('\n')}`);
  }
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

/** Who gives a wrong password was asked to by a test; durability `aof` does without CONFIG, as docs/security.md says. */
function ofTheProduct(refusals: readonly string[]): string[] {
  return refusals.filter(
    (each) =>
      each.startsWith(`${PRODUCT_USER} `) &&
      !each.startsWith(`${PRODUCT_USER} auth `) &&
      !each.includes(' config|get '),
  );
}
