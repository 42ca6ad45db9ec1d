/** This file owns the Redis keys of the system. */
import type { Keyspace } from '@sluice/config';

export interface SystemKeys {
  readonly records: string;
  readonly trail: string;
  readonly alerts: string;
  readonly alert_lease: string;
}

/**
 * All lie in the hash slot of `{prefix}:system:keys`, the API keys, by that name as their hash tag: a change of a key and
 * its entry in the trail are one script, in a Cluster too.
 *
 * | key | holds | until |
 * |---|---|---|
 * | `…:records` | hash: `<kind>:<name>` a record as JSON, `@version` a counter, `@stamp` changes with every change, `@bytes` their size | no TTL: it is the truth; a record leaves it when it is removed |
 * | `…:trail` | stream of changes, the last 10,000 or so | no TTL; trimmed by every entry |
 * | `…:alerts` | hash: `<alert>|<subject>` where it stands, `@counts` what the look before has seen | each field when it is over |
 * | `…:alert-lease` | string: who looks after alerts now | its TTL |
 */
export function systemKeys(keys: Keyspace): SystemKeys {
  const root = keys.root('system');
  const tagged = `${root}:{${root}:keys}`;
  return {
    records: `${tagged}:records`,
    trail: `${tagged}:trail`,
    alerts: `${tagged}:alerts`,
    alert_lease: `${tagged}:alert-lease`,
  };
}

/**
 * One a role, in the Redis of that role: `…:dataset:<role>`, a hash `{epoch, acknowledgedAt}` that marks the data it lies in.
 * No TTL and removed by nothing: that it is gone means that all is gone. In a Cluster it lies on one of the masters.
 */
export function datasetKey(keys: Keyspace, role: string): string {
  return `${keys.root('system')}:dataset:${role}`;
}
