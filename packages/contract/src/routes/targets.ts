/** This file owns the routes of targets: where the jobs of a queue are sent instead of being run. */
import { targetSchema } from '@sluice/delivery/schemas';
import { z } from 'zod';
import { route } from '../route.ts';
import { QUEUE_PATH, queueParams } from './queues.ts';

const PATH = `${QUEUE_PATH}/target`;
const tag = 'deliveries';

const callback = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  endpoint: z.string(),
});

const target = z
  .object({
    queue: z.string(),
    url: z.string().nullable().meta({ description: "null: its endpoint's" }),
    method: z.string(),
    headers: z.record(z.string(), z.string()),
    endpoint: z.string().nullable().meta({ description: 'null: not signed' }),
    schedule: z.array(z.int()).meta({ description: 'Milliseconds before each attempt' }),
    jitter: z.number(),
    timeout: z.int(),
    callback: callback.nullable(),
    failure_callback: callback.nullable(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Target' });

export const targets = {
  putTarget: route({
    id: 'putTarget',
    method: 'put',
    path: PATH,
    tag,
    summary:
      'Have every job of a queue sent to a URL, its data as the body, instead of being run by a processor',
    description: [
      'Workers that serve the queue follow within a second or so. 2xx completes the job, with the answer as its result; what else an answer means, and when it is tried again, is as with deliveries: the schedule is the target’s, whatever `attempts` and `backoff` a job was given.',
      'The key needs `deliveries:send` as well.',
    ].join('\n\n'),
    access: { area: 'jobs', verb: 'manage', resource: ['queue'] },
    params: queueParams,
    body: {
      schema: targetSchema.meta({
        id: 'TargetSettings',
        examples: [{ url: 'https://example.com/orders', schedule: [0, '10s', '1m'], timeout: 5_000 }],
      }),
    },
    replies: { 200: { description: 'The target', schema: target } },
    errors: ['delivery_invalid', 'endpoint_not_found', 'endpoint_gone', 'targets_full', 'delivery_conflict'],
  }),
  getTarget: route({
    id: 'getTarget',
    method: 'get',
    path: PATH,
    tag,
    summary: 'Where the jobs of a queue are sent',
    access: { area: 'jobs', verb: 'read', resource: ['queue'] },
    params: queueParams,
    replies: { 200: { description: 'The target', schema: target } },
    errors: ['target_not_found'],
  }),
  removeTarget: route({
    id: 'removeTarget',
    method: 'delete',
    path: PATH,
    tag,
    summary: 'Have the jobs of a queue run by processors again',
    access: { area: 'jobs', verb: 'manage', resource: ['queue'] },
    params: queueParams,
    replies: {
      200: { description: 'Removed', schema: z.object({ queue: z.string(), success: z.literal(true) }) },
    },
    errors: ['target_not_found', 'delivery_conflict'],
  }),
};
