/** This file owns the routes that act on single jobs. */
import { MAX_DELAY_MS, MAX_PRIORITY } from '@sluice/jobs/schemas';
import { z } from 'zod';
import { queryInteger } from '../query.ts';
import { route } from '../route.ts';
import { JOB_PATH, jobParams, jobView } from './jobs.ts';

const read = { area: 'jobs', verb: 'read', resource: ['queue'] } as const;
const manage = { area: 'jobs', verb: 'manage', resource: ['queue'] } as const;
const tag = 'jobs';

export const jobActions = {
  updateJob: route({
    id: 'updateJob',
    method: 'patch',
    path: JOB_PATH,
    tag,
    summary: 'Change data, delay or priority of a job not yet started',
    access: manage,
    params: jobParams,
    body: {
      schema: z.strictObject({
        data: z.unknown().optional(),
        delay: z.int().min(0).max(MAX_DELAY_MS).optional(),
        priority: z.int().min(0).max(MAX_PRIORITY).optional(),
      }),
      carried: ['data'],
    },
    replies: { 200: { description: 'The job as it is now', schema: jobView } },
    errors: ['job_not_found', 'job_not_in_state', 'job_invalid'],
  }),
  retryJob: action('retryJob', 'retry', 'Run a finished job again, with all its attempts'),
  promoteJob: action('promoteJob', 'promote', 'Run a delayed job now'),
  cancelJob: route({
    id: 'cancelJob',
    method: 'post',
    path: `${JOB_PATH}/cancel`,
    tag,
    summary: 'Cancel a job in any state; a running one is aborted within a second',
    access: manage,
    params: jobParams,
    replies: {
      200: {
        description:
          '`removed`: it had not begun. `cancelling`: it runs and is being aborted, to end as `cancelled`',
        schema: z.object({ id: z.string(), queue: z.string(), state: z.enum(['removed', 'cancelling']) }),
      },
    },
    errors: ['job_not_found', 'job_not_in_state', 'job_locked'],
  }),
  removeJob: route({
    id: 'removeJob',
    method: 'delete',
    path: JOB_PATH,
    tag,
    summary: 'Remove a job that is not running',
    access: manage,
    params: jobParams,
    replies: {
      200: { description: 'Removed', schema: z.object({ id: z.string(), success: z.literal(true) }) },
    },
    errors: ['job_not_found', 'job_locked'],
  }),
  getJobLogs: route({
    id: 'getJobLogs',
    method: 'get',
    path: `${JOB_PATH}/logs`,
    tag,
    summary: 'Lines the processor wrote, the oldest first',
    access: read,
    params: jobParams,
    query: z.object({ limit: queryInteger(1, 1_000), offset: queryInteger(0, 1_000_000) }),
    replies: {
      200: {
        description: 'Lines',
        schema: z.object({ resource: z.array(z.string()), meta: z.object({ count: z.int() }) }),
      },
    },
    errors: ['job_not_found'],
  }),
};

function action<const Id extends string>(id: Id, verb: string, summary: string) {
  return route({
    id,
    method: 'post',
    path: `${JOB_PATH}/${verb}`,
    tag,
    summary,
    access: manage,
    params: jobParams,
    replies: { 200: { description: 'The job as it is now', schema: jobView } },
    errors: ['job_not_found', 'job_not_in_state', 'job_locked'],
  });
}
