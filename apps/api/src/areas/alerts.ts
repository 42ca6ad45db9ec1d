/** This file owns the wiring of alerts: what they look at, and the deliveries that carry them. */
import type { Keyspace } from '@sluice/config';
import { Deliveries, Endpoints } from '@sluice/delivery';
import type { RedisClient } from '@sluice/redis';
import { AlertWatch, type AlertWatchOptions } from '../alerts/watch.ts';

/** `client` of the queue's Redis; `master` is the installation's secret. */
export function openAlerts({
  client,
  keys,
  master,
  ...options
}: Omit<AlertWatchOptions, 'deliveries'> & {
  client: RedisClient;
  keys: Keyspace;
  master: Buffer;
}): AlertWatch {
  const endpoints = new Endpoints({ client, keys, master });
  return new AlertWatch({ ...options, deliveries: new Deliveries({ endpoints, master }) });
}
