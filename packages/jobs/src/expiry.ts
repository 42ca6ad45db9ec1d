/**
 * This file owns the end of jobs that were not started in time. There is no timer: a worker ends an overdue job when it
 * reaches it, and whoever looks at one before that - asks for it, lists it, waits for it - ends it here.
 */
import type { RedisClient } from '@sluice/redis';
import { writeFailure } from './failure.ts';
import { attemptLimits, type StoredOptions } from './options.ts';
import type { OpenQueue } from './queues.ts';
import { endOverdue } from './scripts.ts';
import type { FoundJob } from './view.ts';

/** When it is overdue, the time by which it had to start; epoch milliseconds. */
export function overdueSince({ place, fields }: FoundJob, now: number): number | undefined {
  if (place !== 'waiting' && place !== 'prioritized' && place !== 'delayed') return undefined;
  // Most jobs have no such time, and their options need no parsing.
  if (fields.opts === null || !fields.opts.includes('"sluice"') || Number(fields.ats ?? 0) > 0)
    return undefined;
  const { expiresAt } = attemptLimits(JSON.parse(fields.opts), Number(fields.timestamp));
  return expiresAt !== undefined && expiresAt <= now ? expiresAt : undefined;
}

/** What stands for its failure, also while it has not been ended yet. */
export function expiredReason(expiresAt: number): string {
  return writeFailure({
    code: 'expired',
    message: `not started before ${new Date(expiresAt).toISOString()}`,
  });
}

/** Ends those of `jobs` that are overdue; answers how many it ended. */
export async function endOverdueJobs(
  client: RedisClient,
  { keys }: OpenQueue,
  jobs: readonly FoundJob[],
  now: number,
): Promise<number> {
  const moreArgs: (string | number)[] = [];
  for (const job of jobs) {
    const since = overdueSince(job, now);
    if (since !== undefined) moreArgs.push(job.id, expiredReason(since), isKept(job) ? 1 : 0);
  }
  if (moreArgs.length === 0) return 0;
  return (await endOverdue.run(client, { keys, args: { now_ms: now }, moreArgs })) as number;
}

function isKept({ fields }: FoundJob): boolean {
  const { removeOnFail } = JSON.parse(fields.opts ?? '{}') as StoredOptions;
  return typeof removeOnFail !== 'object' || removeOnFail.count !== 0;
}
