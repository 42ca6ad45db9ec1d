/** This file owns the wiring of deliveries: their endpoints, targets and routes. */
import type { Keyspace } from '@sluice/config';
import { Deliveries, Endpoints, Targets } from '@sluice/delivery';
import { type Jobs, registerQueue } from '@sluice/jobs';
import type { RedisClient } from '@sluice/redis';
import { deliveryHandlers } from '../routes/deliveries.ts';
import { endpointHandlers } from '../routes/endpoints.ts';
import { targetHandlers } from '../routes/targets.ts';
import type { AreaHandlers } from './lazy-handlers.ts';

/** `client` of the queue's Redis; `master` is the installation's secret. */
export function deliveryArea(options: {
  client: RedisClient;
  keys: Keyspace;
  master: Buffer;
  jobs: Jobs;
}): AreaHandlers<'deliveries'> {
  const { client, keys, master, jobs } = options;
  const endpoints = new Endpoints({ client, keys, master });
  return {
    ...deliveryHandlers({ jobs, deliveries: new Deliveries({ endpoints, master }) }),
    ...endpointHandlers({ endpoints }),
    ...targetHandlers({
      targets: new Targets({ client, keys, endpoints }),
      announce: (queue) => registerQueue(client, keys, queue),
    }),
  };
}
