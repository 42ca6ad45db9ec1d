/** This file owns the route that tells scalers how much work there is. */
import { z } from 'zod';
import { queryInteger, queryList } from '../query.ts';
import { route } from '../route.ts';

/** Names looked up one by one. */
const MAX_SELECTED = 100;
/** A queue's name, a beginning with `*`, or `*`. */
const selection = queryList.pipe(
  z
    .array(
      z
        .string()
        .regex(/^[A-Za-z0-9_-]{0,64}\*?$/, 'is no queue and no beginning of one with *')
        .min(1),
    )
    .max(MAX_SELECTED)
    .optional(),
);

const load = {
  backlog: z.int().meta({
    description:
      'Jobs that may begin now and have not, delayed ones that are due included; 0 while the queue is held',
  }),
  active: z.int().meta({ description: 'Jobs at work' }),
  oldest_waiting_seconds: z
    .number()
    .meta({ description: 'Age of the job that waits longest; 0 when none does' }),
  suggested_workers: z.int().meta({ description: 'ceil((backlog + active) / per_worker), from min to max' }),
};

export const scaling = {
  getScaling: route({
    id: 'getScaling',
    method: 'get',
    path: '/scaling',
    tag: 'operations',
    summary: 'How much work there is, in numbers that scalers read',
    description:
      'Of the queues selected, together and each. A name that is no queue yet counts as empty; one that the key may not ' +
      'read is 403, so that nobody scales to zero by mistake.',
    access: { area: 'jobs', verb: 'read' },
    query: z.object({
      queues: selection.meta({
        type: 'string',
        description: 'Comma list of names and of beginnings with *; default *',
      }),
      per_worker: queryInteger(1, 10_000).meta({ description: 'Jobs a worker runs at a time; default 10' }),
      min: queryInteger(0, 100_000).meta({ description: 'Fewest workers; default 0' }),
      max: queryInteger(0, 100_000).meta({ description: 'Most workers; default 100' }),
    }),
    replies: {
      200: {
        description: 'The work',
        schema: z
          .object({
            ...load,
            queues: z.array(
              z.object({
                name: z.string(),
                is_paused: z.boolean(),
                workers: z
                  .int()
                  .nullable()
                  .meta({ description: 'Connected now; null when Redis does not tell' }),
                ...load,
              }),
            ),
          })
          .meta({ id: 'Scaling' }),
      },
    },
  }),
};
