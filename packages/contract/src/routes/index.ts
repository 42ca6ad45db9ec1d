/** This file owns the list of all routes, keyed by operation id: the API is what stands here. */
import { cache } from './cache.ts';
import { health } from './health.ts';

export const routes = { ...cache, ...health };
