/** This file owns the Redis keys of rate limits, and how a key that a caller gives becomes a part of one. */
import { createHash } from 'node:crypto';
import type { Keyspace } from '@sluice/config';

/** Longer subjects are told by their hash in Redis. */
const MAX_SUBJECT_CHARACTERS = 256;

/** Whom a check is for. */
export interface Subject {
  /** The parts joined by `|`; what overrides are compared with. */
  readonly text: string;
  /** The first part: the hash tag, so that all policies of one caller lie in one slot of a Cluster. */
  readonly tag: string;
}

/** One text or several parts (`['k_1', 'POST /x']`). `%`, `|`, `{` and `}` inside a part are percent-encoded: parts stay apart. */
export function subjectOf(key: string | readonly string[]): Subject {
  if (typeof key === 'string') {
    const text = escapePart(key);
    return { text, tag: text };
  }
  const parts = key.map(escapePart);
  return { text: parts.join('|'), tag: parts[0] ?? '' };
}

/**
 * `{prefix}:limit:{<tag>}:<policy>:<shape>[:<subject>]`, one for each subject of each policy. The shape says how its
 * value is counted, so a policy that changes its algorithm or period begins anew and never reads the old count.
 *
 * TTL: until the state is the same as none, plus a second. A string, or a sorted set of leases for concurrency.
 */
export function limitKeys(keys: Keyspace): (policy: string, shape: string, subject: Subject) => string {
  const root = keys.root('limit');
  return (policy, shape, { text, tag }) => {
    const head = `${root}:{${bound(tag)}}:${policy}:${shape}`;
    return text === tag ? head : `${head}:${bound(text)}`;
  };
}

function bound(text: string): string {
  if (text.length <= MAX_SUBJECT_CHARACTERS) return text;
  return `sha256-${createHash('sha256').update(text).digest('base64url')}`;
}

function escapePart(part: string): string {
  return /[%|{}]/.test(part) ? part.replace(/[%|{}]/g, encodeURIComponent) : part;
}
