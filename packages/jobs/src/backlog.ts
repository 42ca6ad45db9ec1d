/**
 * This file owns the bound on how many jobs one caller may have waiting in a queue. Room is reserved for a job's id before
 * it is inserted, so that whoever has no bound pays nothing for it; a job that does not go in after all gives its room back
 * by itself.
 */
import type { RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import { backlogKey } from './keys.ts';
import type { OpenQueue } from './queues.ts';
import type { JobsErrorCode } from './schemas.ts';
import { reserveBacklog } from './scripts.ts';

/** Of one queue. */
export interface BacklogBound {
  /** Whose jobs are counted together, such as an API key's id. */
  owner: string;
  /** Jobs that no worker has begun; 0: none may be put. */
  max: number;
}

/** Far above the 1.5 s after which an insert has failed for its caller. */
const GRACE_MS = 30_000;
/** Takes Redis about a millisecond, and only when the backlog looks full. */
const MAX_LOOKS = 500;

/** Throws `quota_backlog_exceeded` when there is no room for all of these jobs. */
export async function reserve(
  client: RedisClient,
  queue: OpenQueue,
  ids: readonly string[],
  { owner, max }: BacklogBound,
): Promise<void> {
  const hasRoom = await reserveBacklog.run(client, {
    keys: { base: queue.keys.base, backlog: backlogKey(queue.keys, owner) },
    args: { max, grace_ms: GRACE_MS, max_looks: MAX_LOOKS },
    moreArgs: ids,
  });
  if (hasRoom === 1) return;
  throw new DomainError<JobsErrorCode>(
    'quota_backlog_exceeded',
    `At most ${max} jobs of this key may wait in queue ${queue.name}. Try again when some have been begun.`,
    { details: { max_backlog: max, queue: queue.name } },
  );
}
