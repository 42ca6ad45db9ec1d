/** This file owns a scheduler as Bull Board gets it: its template redacted like the jobs that are made from it. */
import type { AppJobScheduler } from '@bull-board/api/typings/app';
import type { Queue } from './bullmq.ts';
import { defined } from './defined.ts';
import type { Redaction } from './redaction.ts';

/** Of one queue; those that run first. */
const MAX_SCHEDULERS = 500;

export type ShownScheduler = Omit<AppJobScheduler, 'queueName'>;
type Scheduler = Awaited<ReturnType<Queue['getJobSchedulers']>>[number];

export async function showSchedulers(queue: Queue, redaction: Redaction): Promise<ShownScheduler[]> {
  const schedulers = await queue.getJobSchedulers(0, MAX_SCHEDULERS - 1, true);
  return await Promise.all(schedulers.map((scheduler) => showScheduler(queue, scheduler, redaction)));
}

async function showScheduler(
  queue: Queue,
  scheduler: Scheduler,
  redaction: Redaction,
): Promise<ShownScheduler> {
  const { key, name, next, template, iterationCount = 0 } = scheduler;
  const { pattern, every, tz, limit, startDate, endDate } = scheduler;
  // BullMQ makes the next run's job when the last run begins, so that job's birth is when the last one began.
  const nextRun = next ? await queue.getJob(`repeat:${key}:${next}`) : undefined;
  const lastRun = iterationCount > 1 ? nextRun?.timestamp : undefined;
  const shown = redaction.of({ data: template?.data, opts: template?.opts });
  const opts = shown.value('opts') as Record<string, unknown>;
  const told = {
    id: key,
    name: shown.text('name', name),
    ...{ pattern, every, tz, limit, startDate, endDate, iterationCount },
    ...{ next: next ?? undefined, nextRunJobId: nextRun?.id, lastRun },
    template: template && { data: shown.value('data'), opts },
  };
  return defined(told) as ShownScheduler;
}
