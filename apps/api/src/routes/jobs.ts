/** This file owns the answers to enqueueing, reading and waiting for jobs. */
import { type ErrorCode, newJob, type routes } from '@sluice/contract';
import type { EnqueuedJob, EnqueueResult, JobEnd, Jobs, NewJob } from '@sluice/jobs';
import { redisFault } from '@sluice/redis';
import { DomainError, stringifyCarrying } from '@sluice/runtime';
import type { Call, Handlers } from '../http/call.ts';
import { failureBody } from '../http/failure.ts';
import { json, jsonText, type Reply } from '../http/reply.ts';
import { jobBody } from './job-body.ts';

type JobRoutes = Pick<typeof routes, 'enqueueJobs' | 'listJobs' | 'getJob' | 'getJobResult'>;
type EnqueueCall = Call<typeof routes.enqueueJobs>;

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
      if ('resource' in call.body) return await enqueueMany(jobs, call, call.body.resource);
      const { queue } = call.params;
      const { idempotency_key: ownKey, ...job } = call.body;
      const idempotencyKey = ownKey ?? call.header('idempotency-key');
      const enqueued = await jobs.enqueue(queue, { ...job, idempotencyKey });
      const wait = call.query.wait ?? 0;
      if (wait === 0) return enqueuedReply(enqueued, enqueued.created ? 201 : 200);
      const end = await waitFor(call, queue, enqueued.id, wait);
      return end.kind === 'completed' || end.kind === 'failed'
        ? endReply(enqueued.id, end)
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

function enqueuedReply({ id, queue, name, state }: EnqueuedJob, status: number): Reply {
  return json(status, { id, queue, name, state }, { Location: `/api/v2/queues/${queue}/jobs/${id}` });
}

function endReply(id: string, end: Extract<JobEnd, { kind: 'completed' | 'failed' }>): Reply {
  if (end.kind === 'completed') {
    return jsonText(200, stringifyCarrying({ id, state: 'completed', result: end.result, error: null }));
  }
  const { code, message } = end.error;
  return json(end.state === 'expired' ? 410 : 200, {
    id,
    state: end.state,
    result: null,
    error: { code, message },
  });
}

/** All items, or none unless `?continue=true`; then every item tells how it went. */
async function enqueueMany(jobs: Jobs, call: EnqueueCall, items: readonly unknown[]): Promise<Reply> {
  const checked = items.map(checkItem);
  const isRefused = !call.query.continue && checked.some((item) => 'error' in item);
  const valid = isRefused ? [] : checked.flatMap((item) => ('job' in item ? [item.job] : []));
  const written = await jobs.enqueueMany(call.params.queue, valid, {
    onInvalid: call.query.continue ? 'skip' : 'refuse',
  });
  let next = 0;
  const results = checked.map((item): EnqueueResult => {
    if ('error' in item) return { ok: false, error: item.error };
    return isRefused ? { ok: false, error: refused() } : (written[next++] as EnqueueResult);
  });
  return batchReply(results, call.requestId);
}

function batchReply(results: readonly EnqueueResult[], requestId: string): Reply {
  const failures = results.flatMap((result) => (result.ok ? [] : [result.error]));
  if (failures.length === 0)
    return json(201, { resource: results.map((result) => ({ id: idOf(result), success: true })) });
  // Redis away from the beginning is no fault of any job: the whole answer says so.
  if (failures.length === results.length && failures.every((error) => redisFault(error))) throw failures[0];
  throw new DomainError<ErrorCode>(
    'batch_failed',
    `${failures.length} of ${results.length} jobs were not enqueued.`,
    {
      details: {
        error: results.flatMap(({ ok }, index) => (ok ? [] : [index])),
        resource: results.map((result) =>
          result.ok
            ? { id: result.job.id, success: true }
            : { success: false, error: failureBody(result.error, requestId) },
        ),
      },
    },
  );
}

type CheckedItem = { job: NewJob } | { error: DomainError<ErrorCode> };

function checkItem(item: unknown): CheckedItem {
  const parsed = newJob.safeParse(item);
  if (parsed.success) {
    const { idempotency_key: idempotencyKey, ...job } = parsed.data;
    return { job: { ...job, idempotencyKey } };
  }
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  const [first] = issues;
  return {
    error: new DomainError('job_invalid', `${first?.path || 'job'}: ${first?.message}`, {
      details: { issues },
    }),
  };
}

function idOf(result: EnqueueResult): string | undefined {
  return result.ok ? result.job.id : undefined;
}

function refused(): DomainError<ErrorCode> {
  return new DomainError('batch_refused', 'Not enqueued, because another job of the batch is invalid.');
}

function notFound(queue: string, id: string): DomainError<ErrorCode> {
  return new DomainError('job_not_found', `There is no job '${id}' in queue '${queue}'.`);
}
