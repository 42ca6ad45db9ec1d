/** This file owns the routes of whole queues: look, hold, empty, bound. */
import { LISTED_STATES, queueNameSchema } from '@sluice/jobs/schemas';
import { z } from 'zod';
import { route } from '../route.ts';

const PATH = '/api/v2/queues/{queue}';
const params = z.object({ queue: queueNameSchema });
const tag = 'queues';

const counts = z.object(
  Object.fromEntries(LISTED_STATES.map((state) => [state, z.int()])) as Record<
    (typeof LISTED_STATES)[number],
    z.ZodInt
  >,
);

export const queueView = z
  .object({
    name: queueNameSchema,
    counts,
    is_paused: z.boolean(),
    oldest_waiting_ms: z
      .int()
      .nullable()
      .meta({ description: 'Age of the job that waits longest; null when none waits' }),
    rates: z
      .object({ completed_per_minute: z.number(), failed_per_minute: z.number() })
      .meta({ description: 'Over the last minutes, as far as workers have measured them' }),
  })
  .meta({ id: 'Queue' });

const read = { area: 'jobs', verb: 'read' } as const;

export const queues = {
  listQueues: route({
    id: 'listQueues',
    method: 'get',
    path: '/api/v2/queues',
    tag,
    summary: 'Every queue this key may read',
    access: read,
    replies: { 200: { description: 'Queues by name', schema: z.object({ resource: z.array(queueView) }) } },
  }),
  getQueue: route({
    id: 'getQueue',
    method: 'get',
    path: PATH,
    tag,
    summary: 'One queue: counts by state, age, rates',
    access: { ...read, resource: ['queue'] },
    params,
    replies: { 200: { description: 'The queue', schema: queueView } },
    errors: ['queue_not_found'],
  }),
};
