/**
 * This file owns the Redis keys of sessions. All keys of one user share the hash tag `{<user tag>}`.
 *
 * | key | type | owner | removed by |
 * |---|---|---|---|
 * | `{prefix}:session:{<tag>}:s:<id>` | hash | one session | its TTL, min(idle, absolute); ending or revoking it |
 * | `{prefix}:session:{<tag>}:user` | hash | one user: generation, and the list of sessions | its TTL, which outlives every session listed |
 */
import type { Keyspace } from '@sluice/config';

export interface SessionKeys {
  root: string;
  session(user: string, id: string): string;
  user(user: string): string;
  /** The user tag of a key made by `user()`; `undefined` for any other key. */
  tagOf(key: string): string | undefined;
}

/** `area` separates stores that share a Redis; `session` unless said otherwise. */
export function sessionKeys(keys: Keyspace, area = 'session'): SessionKeys {
  const root = `${keys.root(area)}:`;
  return {
    root,
    session: (user, id) => `${root}{${user}}:s:${id}`,
    user: (user) => `${root}{${user}}:user`,
    tagOf: (key) => /^\{([\w-]+)\}:user$/.exec(key.slice(root.length))?.[1],
  };
}
