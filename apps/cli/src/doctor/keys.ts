/**
 * This file owns the Redis keys of an examination, and where it looks for those of others.
 *
 * | key | holds | removed by |
 * |---|---|---|
 * | `{prefix}:doctor:{<run>}:<type>` | one value of a type, to learn whether it may be written | the run that wrote it, at once; its TTL of 10 s, should the run be killed |
 * | `{prefix}:doctor:{<run>}` | nothing: a Pub/Sub channel | — |
 */
import { randomBytes } from 'node:crypto';
import type { Keyspace } from '@sluice/config';

export interface DoctorKeys {
  /** All of one run lie in one hash slot. */
  probe(type: string): string;
  readonly topic: string;
}

export function doctorKeys(keys: Keyspace): DoctorKeys {
  const root = `${keys.root('doctor')}:{${randomBytes(6).toString('hex')}}`;
  return { probe: (type) => `${root}:${type}`, topic: root };
}

/** Where each package keeps what is sampled, by its own `keys.ts`. */
export function sampledRoots(keys: Keyspace): Readonly<Record<'session' | 'limit' | 'cache', string>> {
  return {
    session: `${keys.root('session')}:`,
    limit: `${keys.root('limit')}:`,
    cache: `${keys.root('cache')}:`,
  };
}

/** Under which a cache service keeps its entries, unless it says so itself. */
export function entryRoot(keys: Keyspace, service: string): string {
  return `${keys.root('cache')}:${service}:`;
}
