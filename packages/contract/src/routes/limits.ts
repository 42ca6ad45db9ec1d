/** This file owns the routes by which services share a limit: ask, look, give back, reset. */
import {
  consumeSchema,
  limitKeySchema,
  MAX_COST,
  policyNameSchema,
  quotaSchema,
  refundSchema,
} from '@sluice/rate-limit/schemas';
import { z } from 'zod';
import { queryInteger } from '../query.ts';
import { route } from '../route.ts';

const PATH = '/api/v2/limits/{policy}';
const params = z.object({ policy: policyNameSchema });
const tag = 'limits';

const quota = z
  .object({
    ...quotaSchema.shape,
    limit: quotaSchema.shape.limit.meta({ description: 'null: this key has no limit' }),
    remaining: quotaSchema.shape.remaining.meta({ description: 'null: nobody knows' }),
    retry_after_ms: quotaSchema.shape.retry_after_ms.meta({
      description: 'Until this cost fits if nobody else comes; 0 when it fits, null when it never will',
    }),
    decided_by: quotaSchema.shape.decided_by.meta({
      description: "memory, nobody: Redis is away, and the policy's `away` decided",
    }),
    taken_at_ms: quotaSchema.shape.taken_at_ms.meta({ description: 'For a refund' }),
    lease: quotaSchema.shape.lease.meta({
      description: 'Of a concurrency policy; refund it when the work is done',
    }),
  })
  .meta({ id: 'Quota' });

const done = z.object({ success: z.literal(true) });

export const limits = {
  consumeLimit: route({
    id: 'consumeLimit',
    method: 'post',
    path: `${PATH}/consume`,
    tag,
    summary: 'May this key have so much more? A refusal is an answer, not an error',
    access: { area: 'limits', verb: 'consume', resource: ['policy'] },
    params,
    body: { schema: consumeSchema },
    replies: { 200: { description: 'What the policy says, charged when allowed', schema: quota } },
    errors: ['policy_unknown'],
  }),
  refundLimit: route({
    id: 'refundLimit',
    method: 'post',
    path: `${PATH}/refund`,
    tag,
    summary: 'Give back what was taken and not used, or a lease whose work is done',
    access: { area: 'limits', verb: 'consume', resource: ['policy'] },
    params,
    body: { schema: refundSchema },
    replies: { 200: { description: 'Given back, as far as it has not expired', schema: done } },
    errors: ['policy_unknown', 'limit_unavailable'],
  }),
  peekLimit: route({
    id: 'peekLimit',
    method: 'get',
    path: PATH,
    tag,
    summary: 'What the policy would say of this key; charges nothing',
    access: { area: 'limits', verb: 'read', resource: ['policy'] },
    params,
    query: z.object({ key: limitKeySchema, cost: queryInteger(0, MAX_COST) }),
    replies: { 200: { description: 'What the policy would say', schema: quota } },
    errors: ['policy_unknown'],
  }),
  resetLimit: route({
    id: 'resetLimit',
    method: 'delete',
    path: PATH,
    tag,
    summary: 'Forget what was charged to this key, its leases and its blocks',
    access: { area: 'limits', verb: 'manage', resource: ['policy'] },
    params,
    query: z.object({ key: limitKeySchema }),
    replies: {
      200: { description: 'Forgotten; processes may refuse from memory for 5 s more', schema: done },
    },
    errors: ['policy_unknown', 'limit_unavailable'],
  }),
};
