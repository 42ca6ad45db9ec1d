/** This file owns the list of all routes, keyed by operation id: the API is what stands here. */
import { health } from './health.ts';

export const routes = { ...health };
