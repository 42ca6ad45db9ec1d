/** This file owns the Redis keys of access. */
import type { Keyspace } from '@sluice/config';

/**
 * `{prefix}:system:keys`: one hash, so that a change and its version are one atomic step and a load is one snapshot.
 * No TTL: it is the truth about who may enter. Ended keys leave it `KEEP_ENDED_MS` later, when a key is made.
 *
 * | field | value |
 * |---|---|
 * | `<key id>` | JSON record with the key's digest |
 * | `@version` | changes with every change of a record |
 * | `@pepper` | mark of the pepper the digests were made with |
 * | `@environment` | id of the key SLUICE_API_KEY holds |
 * | `@used:<key id>` | when it was last used, milliseconds since the epoch |
 *
 * The trail that changes are told to has another owner, and this key's name as its hash tag: one script changes both.
 */
export function accessKeys(keys: Keyspace): { records: string } {
  return { records: `${keys.root('system')}:keys` };
}
