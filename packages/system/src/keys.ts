/** This file owns the names of the system in Redis: none yet. */
import type { Keyspace } from '@sluice/config';

export interface SystemKeys {
  readonly root: string;
}

export function systemKeys(keys: Keyspace): SystemKeys {
  return { root: keys.root('system') };
}
