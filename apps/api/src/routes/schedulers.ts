/** This file owns the answers about schedulers. */
import type { routes } from '@sluice/contract';
import type { Jobs, SchedulerView } from '@sluice/jobs';
import { stringifyCarrying } from '@sluice/runtime';
import type { Handlers } from '../http/call.ts';
import { json, jsonText, type Reply } from '../http/reply.ts';

type SchedulerRoutes = Pick<
  typeof routes,
  'listSchedulers' | 'getScheduler' | 'putScheduler' | 'removeScheduler'
>;

export function schedulerHandlers({ jobs: { schedulers } }: { jobs: Jobs }): Handlers<SchedulerRoutes> {
  return {
    listSchedulers: async ({ params, query }) => {
      const { limit, offset } = query;
      const page = await schedulers.list(params.queue, {
        ...(limit !== undefined && { limit }),
        ...(offset !== undefined && { offset }),
      });
      const resource = page.schedulers.map(schedulerBody);
      return jsonText(200, stringifyCarrying({ resource, meta: { count: page.total } }));
    },
    getScheduler: async ({ params }) => schedulerReply(await schedulers.get(params.queue, params.id)),
    putScheduler: async ({ params, body: { schedule, ...job } }) =>
      schedulerReply(await schedulers.upsert(params.queue, params.id, schedule, job)),
    removeScheduler: async ({ params: { queue, id } }) => {
      await schedulers.remove(queue, id);
      return json(200, { id, success: true });
    },
  };
}

function schedulerReply(scheduler: SchedulerView): Reply {
  return jsonText(200, stringifyCarrying(schedulerBody(scheduler)));
}

function schedulerBody({ id, queue, nextAt, made, schedule, job }: SchedulerView) {
  return { id, queue, next_at: nextAt === null ? null : new Date(nextAt).toISOString(), made, schedule, job };
}
