/**
 * This file owns the list of all examples, one a route, keyed by operation id. It is read by the generator of the document
 * and by tests, never on the way to listening.
 */
import type { AnyExample } from '../example.ts';
import type { routes } from '../routes/index.ts';
import { alertExamples } from './alerts.ts';
import { cacheExamples } from './cache.ts';
import { deliveryExamples } from './deliveries.ts';
import { jobExamples } from './jobs.ts';
import { queueExamples } from './queues.ts';
import { sharingExamples } from './sharing.ts';
import { systemExamples } from './system.ts';

/** In the order of a story. What is made at run time comes first, for the others use it. */
export const examples: Readonly<{ [Id in keyof typeof routes]?: AnyExample }> = {
  ...systemExamples,
  ...cacheExamples,
  ...jobExamples,
  ...queueExamples,
  ...deliveryExamples,
  ...alertExamples,
  ...sharingExamples,
};

/** The example of a route, if there is one. */
export function exampleOf(id: string): AnyExample | undefined {
  return (examples as Readonly<Record<string, AnyExample>>)[id];
}
