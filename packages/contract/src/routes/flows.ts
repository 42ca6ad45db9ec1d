/** This file owns the routes of flows: trees of jobs, in which a parent runs when its children are through. */
import {
  DURABILITIES,
  type Durability,
  FLOW_POLICIES,
  flowOptionsSchema,
  jobNameSchema,
  MAX_FLOW_JOBS,
  queueNameSchema,
} from '@sluice/jobs/schemas';
import { z } from 'zod';
import { route } from '../route.ts';
import { jobView } from './jobs.ts';

const tag = 'flows';

export interface NewFlow {
  queue: string;
  name: string;
  data?: unknown;
  opts?: z.infer<typeof flowOptionsSchema> | undefined;
  on_failure?: (typeof FLOW_POLICIES)[number] | undefined;
  children?: NewFlow[] | undefined;
}

const newFlow: z.ZodType<NewFlow> = z
  .strictObject({
    queue: queueNameSchema,
    name: jobNameSchema,
    data: z.unknown().optional(),
    opts: flowOptionsSchema.optional(),
    on_failure: z.enum(FLOW_POLICIES).optional(),
    children: z
      .lazy(() => z.array(newFlow).max(MAX_FLOW_JOBS))
      .optional()
      .meta({ type: 'array', items: { $ref: '#/components/schemas/NewFlow' } }),
  })
  .meta({ id: 'NewFlow' });

export interface AddedFlow {
  id: string;
  queue: string;
  name: string;
  state: string;
  durability: Durability;
  children: AddedFlow[];
}

const addedFlow: z.ZodType<AddedFlow> = z
  .object({
    id: z.string(),
    queue: z.string(),
    name: z.string(),
    state: z.string(),
    durability: z.enum(DURABILITIES),
    children: z
      .lazy(() => z.array(addedFlow))
      .meta({ type: 'array', items: { $ref: '#/components/schemas/AddedFlow' } }),
  })
  .meta({ id: 'AddedFlow' });

const flowView = z
  .object({
    id: z.string(),
    queue: z.string(),
    job: jobView.nullable().meta({ description: 'null when it has been removed since' }),
    children: z.array(z.unknown()).meta({ description: 'Each of this shape' }),
    has_more: z
      .boolean()
      .meta({ description: 'It has children that are not told here: too many, or too deep' }),
  })
  .meta({ id: 'Flow' });

export const flows = {
  addFlow: route({
    id: 'addFlow',
    method: 'post',
    path: '/api/v2/flows',
    tag,
    summary: `Enqueue a tree of at most ${MAX_FLOW_JOBS} jobs, all or none; a parent runs when its children are through`,
    description: 'The key needs `jobs:enqueue` for every queue in the tree.',
    access: { area: 'jobs', verb: 'enqueue' },
    body: { schema: newFlow, bound: 'batch' },
    replies: { 201: { description: 'Stored', schema: addedFlow } },
    errors: ['job_invalid', 'flow_spans_slots'],
  }),
  getFlow: route({
    id: 'getFlow',
    method: 'get',
    path: '/api/v2/flows/{queue}/{id}',
    tag,
    summary: 'A job with its children, and theirs',
    access: { area: 'jobs', verb: 'read', resource: ['queue'] },
    params: z.object({ queue: queueNameSchema, id: z.string().min(1).max(128) }),
    replies: { 200: { description: 'The tree', schema: flowView } },
    errors: ['job_not_found'],
  }),
};
