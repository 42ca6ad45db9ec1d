/** This file owns the list of all routes, keyed by operation id: the API is what stands here. */
import { cache } from './cache.ts';
import { cacheOperations } from './cache-operations.ts';
import { channels } from './channels.ts';
import { health } from './health.ts';
import { jobs } from './jobs.ts';
import { limits } from './limits.ts';
import { queues } from './queues.ts';
import { sessions } from './sessions.ts';

export const routes = {
  ...cache,
  ...cacheOperations,
  ...channels,
  ...health,
  ...jobs,
  ...limits,
  ...queues,
  ...sessions,
};
