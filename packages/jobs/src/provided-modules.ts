/**
 * This file owns that a job's module may lie in any folder: what it imports as `@sluice/jobs` or `zod` and does not find
 * there is the worker's own.
 */
import { register } from 'node:module';

const PROVIDED = ['@sluice/jobs', 'zod'];

/** Runs in Node's thread for module hooks, so it is source text and knows nothing of this file. */
const HOOK = `
let provided;
let parentURL;
export function initialize(data) { provided = data.provided; parentURL = data.parentURL; }
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !provided.includes(specifier)) throw error;
    return next(specifier, { ...context, parentURL });
  }
}
`;

let isProvided = false;

/** Once a process; from then on such imports succeed anywhere in it. */
export function provideModules(): void {
  if (isProvided) return;
  isProvided = true;
  register(`data:text/javascript,${encodeURIComponent(HOOK)}`, {
    data: { provided: PROVIDED, parentURL: import.meta.url },
  });
}
