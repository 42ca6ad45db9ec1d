/** This file owns the running of one job by itself: what a processor does with its payload and its context, without a queue. */
import type { AttemptContext, JobDefinition } from '@sluice/jobs';

/** Throws what the processor throws, and a `TypeError` with the faults of a payload that does not fit. */
export async function runJob(
  job: JobDefinition,
  data: unknown,
  ctx: Partial<AttemptContext> = {},
): Promise<unknown> {
  const parsed = job.payload.safeParse(data);
  if (!parsed.success) {
    throw new TypeError(
      parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
    );
  }
  return job.run(parsed.data, {
    jobId: 'j_1',
    queue: 'work',
    attempt: 1,
    maxAttempts: 1,
    signal: new AbortController().signal,
    progress: async () => undefined,
    log: async () => undefined,
    ...ctx,
  });
}
