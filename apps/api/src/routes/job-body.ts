/** This file owns what the API tells of a job: names of the wire, times as ISO 8601, values as their own text. */
import type { JobView } from '@sluice/jobs';

export function jobBody(job: JobView) {
  const { attempts, options } = job;
  return {
    id: job.id,
    queue: job.queue,
    name: job.name,
    state: job.state,
    data: job.data,
    progress: job.progress,
    result: job.result,
    error: job.error && { code: job.error.code, message: job.error.message },
    attempts: { made: attempts.made, started: attempts.started, max: attempts.max, lost: attempts.lost },
    opts: {
      priority: options.priority,
      group: options.group,
      lifo: options.lifo,
      backoff: options.backoff,
      timeout: options.timeoutMs,
      deduplication: options.deduplication && {
        id: options.deduplication.id,
        mode: options.deduplication.mode,
        ttl: options.deduplication.ttlMs,
      },
    },
    created_at: instant(job.createdAt),
    run_at: instant(job.runAt),
    started_at: instant(job.startedAt),
    finished_at: instant(job.finishedAt),
    expires_at: instant(job.expiresAt),
    is_cancelling: job.isCancelling,
    parent: job.parent,
    scheduler: job.scheduler,
  };
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
