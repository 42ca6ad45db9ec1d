/** This file owns the answers to enqueueing, reading and waiting for jobs. */
import { type ErrorCode, newJob, type routes } from '@sluice/contract';
import type { EnqueuedJob, JobEnd, Jobs, NewJob } from '@sluice/jobs';
import { DomainError, stringifyCarrying, within } from '@sluice/runtime';
import { backlogOf, type Call, type Handlers } from '../http/call.ts';
import { json, jsonText, type Reply } from '../http/reply.ts';
import { REQUEST_DEADLINE_MS } from '../http/serve.ts';
import { type Checked, checkItem, enqueueMany } from './job-batch.ts';
import { jobBody } from './job-body.ts';

type JobRoutes = Pick<typeof routes, 'enqueueJobs' | 'listJobs' | 'getJob' | 'getJobResult'>;

/** `stopping` ends waits when the process has been asked to stop. */
export function jobHandlers({ jobs, stopping }: { jobs: Jobs; stopping: AbortSignal }): Handlers<JobRoutes> {
  /** A wait that the stop of this process cuts short ends with how the job stands. */
  const waitFor = async (call: Call, queue: string, id: string, seconds: number): Promise<JobEnd> => {
    const signal = AbortSignal.any([call.signal, stopping]);
    try {
      return await jobs.waitForResult(queue, id, { timeoutMs: seconds * 1_000, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      return await jobs.waitForResult(queue, id, { timeoutMs: 0 });
    }
  };

  return {
    enqueueJobs: async (call) => {
      if ('resource' in call.body) {
        const { queue } = call.params;
        const items = call.body.resource.map(checkJob);
        const isContinued = call.query.continue ?? false;
        const { requestId, principal } = call;
        const enqueuing = enqueueMany(jobs, queue, items, { isContinued, requestId, principal });
        return await within(enqueuing, REQUEST_DEADLINE_MS);
      }
      const { queue } = call.params;
      const { idempotency_key: ownKey, ...job } = call.body;
      const idempotencyKey = ownKey ?? call.header('idempotency-key');
      const backlog = backlogOf(call.principal);
      // The wait is for the result alone: that the job is in is told in time, like everything else.
      const enqueuing = jobs.enqueue(queue, { ...job, idempotencyKey }, { backlog });
      const enqueued = await within(enqueuing, REQUEST_DEADLINE_MS);
      const wait = call.query.wait ?? 0;
      if (wait === 0) return enqueuedReply(enqueued, enqueued.created ? 201 : 200);
      const end = await waitFor(call, queue, enqueued.id, wait);
      return end.kind === 'completed' || end.kind === 'failed'
        ? endReply(enqueued.id, end, enqueued.durability)
        : enqueuedReply(enqueued, 202);
    },
    listJobs: async ({ params, query }) => {
      const { state = 'waiting', limit, cursor } = query;
      const page = await jobs.list(params.queue, { state, limit, cursor });
      return jsonText(
        200,
        stringifyCarrying({ resource: page.jobs.map(jobBody), meta: { next: page.next ?? undefined } }),
      );
    },
    getJob: async ({ params }) =>
      jsonText(200, stringifyCarrying(jobBody(await jobs.get(params.queue, params.id)))),
    getJobResult: async (call) => {
      const { queue, id } = call.params;
      const end = await waitFor(call, queue, id, call.query.wait ?? 0);
      if (end.kind === 'gone') throw notFound(queue, id);
      if (end.kind === 'pending') {
        const { name } = await jobs.get(queue, id);
        return json(202, { id, queue, name, state: end.state });
      }
      return endReply(id, end);
    },
  };
}

export function enqueuedReply({ id, queue, name, state, durability }: EnqueuedJob, status: number): Reply {
  return json(
    status,
    { id, queue, name, state, durability },
    { Location: `/api/v2/queues/${queue}/jobs/${id}` },
  );
}

/** `durability` for whoever enqueued it in the same call. */
function endReply(
  id: string,
  end: Extract<JobEnd, { kind: 'completed' | 'failed' }>,
  durability?: EnqueuedJob['durability'],
): Reply {
  if (end.kind === 'completed') {
    const body = { id, state: 'completed', result: end.result, error: null, durability };
    return jsonText(200, stringifyCarrying(body));
  }
  const { code, message } = end.error;
  return json(end.state === 'expired' ? 410 : 200, {
    id,
    state: end.state,
    result: null,
    error: { code, message },
    durability,
  });
}

function checkJob(item: unknown): Checked<NewJob> {
  const checked = checkItem(newJob, item, 'job_invalid', 'job');
  if ('error' in checked) return checked;
  const { idempotency_key: idempotencyKey, ...job } = checked.value;
  return { value: { ...job, idempotencyKey } };
}

function notFound(queue: string, id: string): DomainError<ErrorCode> {
  return new DomainError('job_not_found', `There is no job '${id}' in queue '${queue}'.`);
}
