/** This file owns the route that asks for deliveries: signed requests that the worker sends until they are answered. */
import { MAX_DELIVERIES, newDeliverySchema } from '@sluice/delivery/schemas';
import { z } from 'zod';
import { IDEMPOTENCY_KEY } from '../headers.ts';
import { queryFlag } from '../query.ts';
import { route } from '../route.ts';
import { batchReply, enqueuedJob } from './jobs.ts';

export const newDelivery = newDeliverySchema.meta({
  id: 'NewDelivery',
  examples: [
    {
      url: 'https://example.com/hooks',
      body: { type: 'invoice.paid', data: { id: 'inv_1' } },
      schedule: [0, '5s', '30s', '2m'],
      callback: 'https://example.com/delivered',
    },
  ],
});

/** Each item is checked by itself, so that one bad delivery can be told from its neighbours. */
const newDeliveries = z
  .strictObject({
    resource: z
      .array(z.unknown())
      .min(1)
      .max(MAX_DELIVERIES)
      .meta({ items: { $ref: '#/components/schemas/NewDelivery' } }),
  })
  .meta({ id: 'NewDeliveries' });

export const deliveries = {
  sendDeliveries: route({
    id: 'sendDeliveries',
    method: 'post',
    path: '/api/v2/deliveries',
    tag: 'deliveries',
    summary: 'Have a request sent, signed and tried again until it is answered; or a list in `resource`',
    description: [
      'A delivery is a job of the queue `deliveries`: its routes tell how it went, cancel it, run it again.',
      'It is signed as Standard Webhooks has it (`webhook-id`, `webhook-timestamp`, `webhook-signature`) with the secrets of its `endpoint`, by default the endpoint `default`; only `"sign": false` sends it unsigned.',
      '2xx delivers it. 410 and every 4xx but 408, 409, 425 and 429 end it; anything else, a 3xx included, is tried again on its `schedule`, or when `Retry-After` says.',
    ].join('\n\n'),
    access: { area: 'deliveries', verb: 'send' },
    headers: IDEMPOTENCY_KEY,
    query: z.object({ continue: queryFlag }),
    body: { schema: z.union([newDelivery, newDeliveries]), carried: ['body'], bound: 'batch' },
    replies: {
      200: { description: 'It was asked for before under this idempotency key', schema: enqueuedJob },
      201: { description: 'Stored', schema: z.union([enqueuedJob, batchReply]) },
    },
    errors: [
      'batch_failed',
      'delivery_invalid',
      'endpoint_not_found',
      'endpoint_gone',
      'idempotency_mismatch',
      'job_invalid',
      'durability_unavailable',
      'durability_not_confirmed',
    ],
  }),
};
