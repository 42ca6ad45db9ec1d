/** This file owns the routes of schedulers, which make jobs by cron or interval. */
import {
  jobNameSchema,
  schedulerIdSchema,
  scheduleSchema,
  templateOptionsSchema,
} from '@sluice/jobs/schemas';
import { z } from 'zod';
import { queryInteger } from '../query.ts';
import { route } from '../route.ts';
import { QUEUE_PATH, queueParams } from './queues.ts';

const PATH = `${QUEUE_PATH}/schedulers/{id}`;
const params = queueParams.extend({ id: schedulerIdSchema });
const read = { area: 'jobs', verb: 'read', resource: ['queue'] } as const;
const manage = { area: 'jobs', verb: 'manage', resource: ['queue'] } as const;
const tag = 'schedulers';

const schedulerView = z
  .object({
    id: z.string(),
    queue: z.string(),
    next_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When its next job is due; null when none is left' }),
    made: z.int().meta({ description: 'Jobs made so far' }),
    schedule: z.unknown(),
    job: z.object({ name: z.string(), data: z.unknown(), opts: z.unknown() }),
  })
  .meta({ id: 'Scheduler' });

export const schedulers = {
  listSchedulers: route({
    id: 'listSchedulers',
    method: 'get',
    path: `${QUEUE_PATH}/schedulers`,
    tag,
    summary: 'Schedulers of a queue, the next to be due first',
    access: read,
    params: queueParams,
    query: z.object({ limit: queryInteger(1, 100), offset: queryInteger(0, 100_000) }),
    replies: {
      200: {
        description: 'Schedulers',
        schema: z.object({ resource: z.array(schedulerView), meta: z.object({ count: z.int() }) }),
      },
    },
  }),
  getScheduler: route({
    id: 'getScheduler',
    method: 'get',
    path: PATH,
    tag,
    summary: 'One scheduler',
    access: read,
    params,
    replies: { 200: { description: 'The scheduler', schema: schedulerView } },
    errors: ['scheduler_not_found'],
  }),
  putScheduler: route({
    id: 'putScheduler',
    method: 'put',
    path: PATH,
    tag,
    summary: 'Make or change a scheduler; the same call twice, or from many processes, changes nothing',
    access: manage,
    params,
    body: {
      schema: z.strictObject({
        schedule: scheduleSchema,
        name: jobNameSchema,
        data: z.unknown().optional(),
        opts: templateOptionsSchema.optional(),
      }),
      carried: ['data'],
    },
    replies: { 200: { description: 'The scheduler', schema: schedulerView } },
    // Not found: removed by somebody else before it was read back. Locked: its next job is there from one before it.
    errors: ['job_invalid', 'scheduler_not_found', 'job_locked'],
  }),
  removeScheduler: route({
    id: 'removeScheduler',
    method: 'delete',
    path: PATH,
    tag,
    summary: 'Remove a scheduler; jobs it made stay',
    access: manage,
    params,
    replies: {
      200: { description: 'Removed', schema: z.object({ id: z.string(), success: z.literal(true) }) },
    },
    errors: ['scheduler_not_found'],
  }),
};
