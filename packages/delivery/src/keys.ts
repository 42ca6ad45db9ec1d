/** This file owns the names of deliveries in Redis: none yet. */
import type { Keyspace } from '@sluice/config';

export interface DeliveryKeys {
  readonly root: string;
}

export function deliveryKeys(keys: Keyspace): DeliveryKeys {
  return { root: keys.root('delivery') };
}
