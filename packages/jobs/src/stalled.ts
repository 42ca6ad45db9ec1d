/** This file owns the count of a queue's jobs that were lost by their worker and handed out again, kept among its settings. */
import type { RedisClient } from '@sluice/redis';
import type { QueueKeys } from './keys.ts';

/** As lua/queue-summary.lua reads it. BullMQ's own settings have no dot. */
const FIELD = 'sluice.stalled';

/** Never rejects: a count that Redis did not take is one too few, and its job is handed out all the same. */
export async function countStalled(client: RedisClient, { meta }: QueueKeys, jobs: number): Promise<void> {
  try {
    await client.hincrby(meta, FIELD, jobs);
  } catch {
    // Redis is away, and says so by every other call.
  }
}
