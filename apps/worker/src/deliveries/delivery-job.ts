/** This file owns the job `delivery`: a request that was asked for at `POST /deliveries`. */
import {
  DEFAULT_ENDPOINT,
  DELIVERY_JOB,
  type Deliveries,
  type DeliveryRequest,
  type Endpoints,
} from '@sluice/delivery';
import { defineJob, fatal, type JobDefinition } from '@sluice/jobs';
import { z } from 'zod';
import { MAX_RESULT_BYTES } from '../processors/kept-answer.ts';
import type { Courier } from './courier.ts';
import { webhookId } from './webhook-id.ts';

export function deliveryJob({
  courier,
  deliveries,
  endpoints,
}: {
  courier: Courier;
  deliveries: Deliveries;
  endpoints: Endpoints;
}): JobDefinition<Record<string, unknown>> {
  return defineJob({
    name: DELIVERY_JOB,
    payload: z.looseObject({}),
    maxResultBytes: MAX_RESULT_BYTES,
    maxLogLineBytes: MAX_RESULT_BYTES,
    async run(data, ctx) {
      // Signatures vouch for whoever may send deliveries, which is more than the right to enqueue a job.
      if (!deliveries.isProven(data)) {
        // Throws when this worker has another master secret than the API: no forgery, and mended it can be sent.
        await endpoints.forSending(typeof data.endpoint === 'string' ? data.endpoint : DEFAULT_ENDPOINT);
        throw fatal('this is not as POST /deliveries has made it, and is not sent');
      }
      const request: DeliveryRequest = data;
      return await courier.send({ ...request, id: webhookId(ctx.queue, ctx.jobId) }, ctx);
    },
  });
}
