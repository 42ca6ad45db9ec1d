/** This file owns how the tests of leases take them. */
import type { Jobs } from '../src/jobs.ts';
import type { TakeOptions } from '../src/leases.ts';

export const QUEUE = 'work';
const SECRET = Buffer.alloc(32, 7);
export const leases = { secret: SECRET, checkMs: 100 };

export function take(jobs: Jobs, options: Partial<TakeOptions> = {}) {
  return jobs.leases.take(QUEUE, { count: 1, leaseMs: 30_000, holder: 'k', ...options });
}

/** The lease of the one job there is to take. */
export async function takeOne(jobs: Jobs, options: Partial<TakeOptions> = {}) {
  const [taken] = await take(jobs, options);
  if (!taken) throw new Error('there was no job to take');
  return { ...taken, facts: jobs.leases.open(taken.lease, options.holder ?? 'k') };
}
