/** This file owns the routes that look at whole queues. */
import { DURABILITIES, LISTED_STATES, queueNameSchema } from '@sluice/jobs/schemas';
import { z } from 'zod';
import { queryInteger } from '../query.ts';
import { route } from '../route.ts';

export const QUEUE_PATH = '/api/v2/queues/{queue}';
export const queueParams = z.object({ queue: queueNameSchema });
const tag = 'queues';

const counts = z.object(
  Object.fromEntries(LISTED_STATES.map((state) => [state, z.int()])) as Record<
    (typeof LISTED_STATES)[number],
    z.ZodInt
  >,
);

const rate = z.object({ max: z.int(), duration: z.int() }).nullable();

export const queueView = z
  .object({
    name: queueNameSchema,
    counts,
    is_paused: z.boolean(),
    workers: z.int().nullable().meta({ description: 'Connected workers; null when Redis does not tell' }),
    limits: z.object({
      concurrency: z.int().nullable(),
      rate,
      group: z.object({ concurrency: z.int().nullable(), rate }).nullable().meta({
        description: 'Of each group, on the workers of Sluice',
      }),
    }),
    durability: z.enum(DURABILITIES).meta({
      description: 'What must hold a job, beside the memory of Redis, before its enqueueing is answered',
    }),
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
    query: z.object({ limit: queryInteger(1, 1_000), after: z.string().max(64).optional() }),
    replies: { 200: { description: 'Queues by name', schema: z.object({ resource: z.array(queueView) }) } },
  }),
  getQueue: route({
    id: 'getQueue',
    method: 'get',
    path: QUEUE_PATH,
    tag,
    summary: 'One queue: counts by state, age, rates',
    access: { ...read, resource: ['queue'] },
    params: queueParams,
    replies: { 200: { description: 'The queue', schema: queueView } },
    errors: ['queue_not_found'],
  }),
};
