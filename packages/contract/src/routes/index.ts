/** This file owns the list of all routes, keyed by operation id: the API is what stands here. */
import { cache } from './cache.ts';
import { cacheOperations } from './cache-operations.ts';
import { channels } from './channels.ts';
import { deliveries } from './deliveries.ts';
import { endpoints } from './endpoints.ts';
import { flows } from './flows.ts';
import { health } from './health.ts';
import { jobActions } from './job-actions.ts';
import { jobEvents } from './job-events.ts';
import { jobs } from './jobs.ts';
import { leases } from './leases.ts';
import { limits } from './limits.ts';
import { queueActions } from './queue-actions.ts';
import { queues } from './queues.ts';
import { scaling } from './scaling.ts';
import { schedulers } from './schedulers.ts';
import { sessions } from './sessions.ts';
import { systemAlerts } from './system-alerts.ts';
import { systemKeys } from './system-keys.ts';
import { systemLimits } from './system-limits.ts';
import { systemServices } from './system-services.ts';
import { targets } from './targets.ts';

export const routes = {
  ...cache,
  ...cacheOperations,
  ...channels,
  ...deliveries,
  ...endpoints,
  ...flows,
  ...health,
  ...jobActions,
  ...jobEvents,
  ...jobs,
  ...leases,
  ...limits,
  ...queueActions,
  ...queues,
  ...scaling,
  ...schedulers,
  ...sessions,
  ...targets,
  ...systemAlerts,
  ...systemKeys,
  ...systemLimits,
  ...systemServices,
};
