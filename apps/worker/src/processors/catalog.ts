/** This file owns which jobs every worker knows, one line each. */
import type { CatalogEntry, JobDefinition } from '@sluice/jobs';
import type { Caches } from '../caches.ts';
import type { EgressGuard } from '../egress/guard.ts';
import { cacheRefresh } from './cache-refresh.ts';
import { exampleEcho } from './example-echo.ts';
import { httpRequest } from './http-request.ts';

export function builtInJobs(options: {
  egress: EgressGuard;
  caches: Pick<Caches, 'find'>;
  delivery: JobDefinition;
}): CatalogEntry[] {
  const jobs: JobDefinition[] = [
    httpRequest(options.egress),
    cacheRefresh(options),
    options.delivery,
    exampleEcho,
  ];
  return jobs.map((job) => ({ job, origin: 'built in' }));
}
