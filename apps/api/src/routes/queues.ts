/** This file owns the answers about whole queues. */
import type { routes } from '@sluice/contract';
import type { Jobs, QueueView } from '@sluice/jobs';
import type { Handlers } from '../http/call.ts';
import { json } from '../http/reply.ts';

type QueueRoutes = Pick<typeof routes, 'listQueues' | 'getQueue'>;

export function queueHandlers({ jobs }: { jobs: Jobs }): Handlers<QueueRoutes> {
  return {
    listQueues: async ({ principal, query }) => {
      const views = await jobs.queues(query);
      return json(200, {
        resource: views.filter(({ name }) => principal.grants.allows('jobs', 'read', name)).map(queueBody),
      });
    },
    getQueue: async ({ params }) => json(200, queueBody(await jobs.queue(params.queue))),
  };
}

export function queueBody(view: QueueView) {
  return {
    name: view.name,
    counts: view.counts,
    is_paused: view.isPaused,
    workers: view.workers,
    limits: {
      concurrency: view.limits.concurrency,
      rate: rateBody(view.limits.rate),
      group: view.limits.group && {
        concurrency: view.limits.group.concurrency,
        rate: rateBody(view.limits.group.rate),
      },
    },
    durability: view.durability,
    oldest_waiting_ms: view.oldestWaitingMs,
    rates: {
      completed_per_minute: view.rates.completedPerMinute,
      failed_per_minute: view.rates.failedPerMinute,
    },
  };
}

function rateBody(rate: QueueView['limits']['rate']) {
  return rate && { max: rate.max, duration: rate.durationMs };
}
