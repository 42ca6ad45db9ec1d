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
  const text = subjectText(key);
  return { text, tag: typeof key === 'string' ? text : escapePart(key[0] ?? '') };
}

/** `subjectOf(key).text`, for whoever needs no more. */
export function subjectText(key: string | readonly string[]): string {
  return typeof key === 'string' ? escapePart(key) : key.map(escapePart).join('|');
}

/**
 * `{prefix}:limit:{<tag>}:<policy>:<shape>[:<subject>]`, one for each subject of each policy. The shape says how its
 * value is counted, so a policy that changes its algorithm or period begins anew and never reads the old count.
 *
 * TTL: until the state is the same as none, and at most 61 s more. A string of doubles, or a sorted set of leases for
 * concurrency.
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

const SIGNS = /[%|{}]/;

function escapePart(part: string): string {
  return SIGNS.test(part) ? part.replace(/[%|{}]/g, encodeURIComponent) : part;
}
