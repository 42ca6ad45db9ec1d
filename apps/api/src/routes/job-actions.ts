/** This file owns the answers to acts on single jobs. */
import type { routes } from '@sluice/contract';
import type { Jobs, JobView } from '@sluice/jobs';
import { stringifyCarrying } from '@sluice/runtime';
import type { Handlers } from '../http/call.ts';
import { json, jsonText, type Reply } from '../http/reply.ts';
import { jobBody } from './job-body.ts';

type JobActionRoutes = Pick<
  typeof routes,
  'updateJob' | 'retryJob' | 'promoteJob' | 'cancelJob' | 'removeJob' | 'getJobLogs'
>;

export function jobActionHandlers({ jobs }: { jobs: Jobs }): Handlers<JobActionRoutes> {
  return {
    updateJob: async ({ params, body }) => jobReply(await jobs.update(params.queue, params.id, body)),
    retryJob: async ({ params }) => jobReply(await jobs.retry(params.queue, params.id)),
    promoteJob: async ({ params }) => jobReply(await jobs.promote(params.queue, params.id)),
    cancelJob: async ({ params: { queue, id } }) => {
      const { kind: state } = await jobs.cancel(queue, id);
      return json(200, { id, queue, state });
    },
    removeJob: async ({ params: { queue, id } }) => {
      await jobs.remove(queue, id);
      return json(200, { id, success: true });
    },
    getJobLogs: async ({ params, query }) => {
      const { limit, offset } = query;
      const page = await jobs.logs(params.queue, params.id, {
        ...(limit !== undefined && { limit }),
        ...(offset !== undefined && { offset }),
      });
      return json(200, { resource: page.lines, meta: { count: page.total } });
    },
  };
}

function jobReply(job: JobView): Reply {
  return jsonText(200, stringifyCarrying(jobBody(job)));
}
