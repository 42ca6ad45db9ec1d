/** This file owns the answers to asking for deliveries. */
import { newDelivery, type routes } from '@sluice/contract';
import { DELIVERY_QUEUE, type Deliveries, type DeliveryJob, type NewDelivery } from '@sluice/delivery';
import type { Jobs, NewJob } from '@sluice/jobs';
import { DomainError } from '@sluice/runtime';
import { backlogOf, type Handlers, type Principal } from '../http/call.ts';
import type { Reply } from '../http/reply.ts';
import { type Checked, checkItem, enqueueMany } from './job-batch.ts';
import { enqueuedReply } from './jobs.ts';

export function deliveryHandlers({
  jobs,
  deliveries,
}: {
  jobs: Jobs;
  deliveries: Deliveries;
}): Handlers<Pick<typeof routes, 'sendDeliveries'>> {
  const sendOne = async (delivery: NewDelivery, principal: Principal): Promise<Reply> => {
    const [job] = await deliveries.jobs([delivery]);
    if (job instanceof DomainError) throw job;
    const enqueued = await jobs.enqueue(DELIVERY_QUEUE, job as DeliveryJob, {
      backlog: backlogOf(principal),
    });
    return enqueuedReply(enqueued, enqueued.created ? 201 : 200);
  };

  return {
    sendDeliveries: async (call) => {
      const { body, query, requestId, principal } = call;
      if (!('resource' in body))
        return await sendOne(
          { ...body, idempotency_key: body.idempotency_key ?? call.header('idempotency-key') },
          principal,
        );
      const items = body.resource.map((item) => checkItem(newDelivery, item, 'delivery_invalid', 'delivery'));
      const made = await deliveries.jobs(items.flatMap((item) => ('value' in item ? [item.value] : [])));
      let next = 0;
      const jobsOrFaults = items.map((item): Checked<NewJob> => {
        if ('error' in item) return item;
        const job = made[next++] as DeliveryJob | DomainError;
        return job instanceof DomainError ? { error: job } : { value: job };
      });
      const isContinued = query.continue ?? false;
      return await enqueueMany(jobs, DELIVERY_QUEUE, jobsOrFaults, { isContinued, requestId, principal });
    },
  };
}
