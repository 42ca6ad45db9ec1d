/** This file owns the answers to acts on whole queues. */
import type { ErrorCode, routes } from '@sluice/contract';
import type { Jobs } from '@sluice/jobs';
import { DomainError, stringifyCarrying } from '@sluice/runtime';
import type { Handlers } from '../http/call.ts';
import { json, jsonText } from '../http/reply.ts';
import { jobBody } from './job-body.ts';
import { queueBody } from './queues.ts';

type QueueActionRoutes = Pick<
  typeof routes,
  | 'pauseQueue'
  | 'resumeQueue'
  | 'drainQueue'
  | 'cleanQueue'
  | 'redriveJobs'
  | 'obliterateQueue'
  | 'setQueueLimits'
  | 'searchJobs'
>;

export function queueActionHandlers({ jobs }: { jobs: Jobs }): Handlers<QueueActionRoutes> {
  return {
    pauseQueue: async ({ params }) => json(200, queueBody(await jobs.pause(params.queue))),
    resumeQueue: async ({ params }) => json(200, queueBody(await jobs.resume(params.queue))),
    drainQueue: async ({ params, body }) =>
      json(200, await jobs.drain(params.queue, { delayed: body?.delayed })),
    cleanQueue: async ({ params, body }) => {
      const { older_than: olderThanMs, ...options } = body;
      return json(200, await jobs.clean(params.queue, { ...options, olderThanMs }));
    },
    redriveJobs: async ({ params, body }) => json(200, await jobs.redrive(params.queue, body ?? {})),
    obliterateQueue: async (call) => {
      const { queue } = call.params;
      if (call.header('x-confirm') !== queue) {
        const message = `This removes queue '${queue}' and every job in it. Send the header X-Confirm: ${queue} to confirm.`;
        throw new DomainError<ErrorCode>('not_confirmed', message);
      }
      return json(200, await jobs.obliterate(queue, { force: call.body?.force }));
    },
    setQueueLimits: async ({ params, body }) =>
      json(200, queueBody(await jobs.setLimits(params.queue, body))),
    searchJobs: async ({ params, query }) => {
      const { state = 'waiting', ...options } = query;
      const page = await jobs.search(params.queue, { state, ...options });
      const meta = { examined: page.examined, next: page.next ?? undefined };
      return jsonText(200, stringifyCarrying({ resource: page.jobs.map(jobBody), meta }));
    },
  };
}
