/** This file owns jobs of a queue with a target: each is sent there, its data as the body. */
import type { Targets } from '@sluice/delivery';
import { defineJob, type JobDefinition, type Jobs } from '@sluice/jobs';
import { DomainError } from '@sluice/runtime';
import { z } from 'zod';
import { MAX_RESULT_BYTES } from '../processors/kept-answer.ts';
import type { Courier } from './courier.ts';
import { webhookId } from './webhook-id.ts';

export interface TargetJobOptions {
  courier: Courier;
  targets: Targets;
  jobs: Jobs;
  /** The name the job came with. */
  name: string;
  /** Told when the queue turns out to have a target. */
  onTarget: (queue: string) => void;
}

/** Fails as an unknown job does when its queue has no target (any more). */
export function targetJob({ courier, targets, jobs, name, onTarget }: TargetJobOptions): JobDefinition {
  return defineJob({
    name: 'target',
    payload: z.unknown(),
    maxResultBytes: MAX_RESULT_BYTES,
    maxLogLineBytes: MAX_RESULT_BYTES,
    async run(_data, ctx) {
      const { queue, jobId } = ctx;
      const target = await targets.find(queue);
      if (!target)
        throw new DomainError('unknown_job', `no processor named '${name}' is known to this worker`);
      onTarget(queue);
      const hasType = Object.keys(target.headers).some((header) => header.toLowerCase() === 'content-type');
      return await courier.send(
        {
          ...target,
          headers: {
            ...target.headers,
            ...(!hasType && { 'content-type': 'application/json' }),
            'sluice-queue': queue,
            'sluice-job-id': encodeURIComponent(jobId),
            'sluice-job-name': encodeURIComponent(name),
          },
          // As it was enqueued, to the byte; what the processor is handed has been through JSON.parse.
          body: (await jobs.get(queue, jobId)).data.text,
          id: webhookId(queue, jobId),
        },
        ctx,
      );
    },
  });
}
