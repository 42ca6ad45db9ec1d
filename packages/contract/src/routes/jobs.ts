/** This file owns the routes of single jobs: enqueue, read, wait, act. */
import {
  DEDUPLICATION_MODES,
  idempotencyKeySchema,
  JOB_STATES,
  jobNameSchema,
  jobOptionsSchema,
  LISTED_STATES,
  MAX_BATCH,
  MAX_DELAY_MS,
  MAX_PAGE,
  MAX_PRIORITY,
  queueNameSchema,
} from '@sluice/jobs/schemas';
import { z } from 'zod';
import { carriedJson } from '../carried.ts';
import { queryFlag, queryInteger } from '../query.ts';
import { route } from '../route.ts';

/** Seconds; above it, load balancers on the way give up first. */
export const MAX_WAIT_SECONDS = 30;

const QUEUE_PATH = '/api/v2/queues/{queue}';
const JOB_PATH = `${QUEUE_PATH}/jobs/{id}`;
const queueParams = z.object({ queue: queueNameSchema });
const jobParams = z.object({ queue: queueNameSchema, id: z.string().min(1).max(128) });
const wait = queryInteger(0, MAX_WAIT_SECONDS);
const instant = z.iso.datetime();

export const newJob = z
  .strictObject({
    name: jobNameSchema,
    data: carriedJson,
    opts: jobOptionsSchema.optional(),
    idempotency_key: idempotencyKeySchema.optional(),
  })
  .meta({ id: 'NewJob' });

/** Each item is checked by itself, so that one bad job can be told from its neighbours. */
const newJobs = z
  .strictObject({
    resource: z
      .array(z.unknown())
      .min(1)
      .max(MAX_BATCH)
      .meta({ items: { $ref: '#/components/schemas/NewJob' } }),
  })
  .meta({ id: 'NewJobs' });

const jobRef = z
  .object({ id: z.string(), queue: z.string(), name: z.string(), state: z.enum([...JOB_STATES, 'removed']) })
  .meta({ id: 'JobRef' });

const jobError = z
  .object({ code: z.string(), message: z.string() })
  .meta({ id: 'JobError', description: 'Why it failed: a code from a closed list and a sentence' });

export const jobView = jobRef
  .extend({
    data: z.unknown(),
    progress: z.unknown(),
    result: z.unknown(),
    error: jobError.nullable(),
    attempts: z.object({
      made: z.int().meta({ description: 'Ended, with or without success' }),
      started: z.int(),
      max: z.int(),
      lost: z.int().meta({ description: 'Given to a worker that was never heard of again' }),
    }),
    opts: z.object({
      priority: z.int(),
      lifo: z.boolean(),
      backoff: z.unknown().nullable(),
      timeout: z.int().nullable(),
      deduplication: z
        .object({ id: z.string(), mode: z.enum(DEDUPLICATION_MODES), ttl: z.int().nullable() })
        .nullable(),
    }),
    created_at: instant.nullable(),
    run_at: instant.nullable().meta({ description: 'When a delayed job is due' }),
    started_at: instant.nullable(),
    finished_at: instant.nullable(),
    expires_at: instant.nullable(),
    is_cancelling: z.boolean().meta({ description: 'It runs, and somebody asked it to stop' }),
    parent: z.object({ queue: z.string(), id: z.string() }).nullable(),
    scheduler: z.string().nullable().meta({ description: 'The scheduler that made it' }),
  })
  .meta({ id: 'Job' });

const jobResult = z
  .object({
    id: z.string(),
    state: z.enum([...JOB_STATES, 'removed']),
    result: z.unknown(),
    error: jobError.nullable(),
  })
  .meta({ id: 'JobResult' });

const batchReply = z.object({
  resource: z.array(
    z.object({ id: z.string().optional(), success: z.boolean(), error: z.unknown().optional() }),
  ),
});

const read = { area: 'jobs', verb: 'read', resource: ['queue'] } as const;
const manage = { area: 'jobs', verb: 'manage', resource: ['queue'] } as const;
const tag = 'jobs';

export const jobs = {
  enqueueJobs: route({
    id: 'enqueueJobs',
    method: 'post',
    path: `${QUEUE_PATH}/jobs`,
    tag,
    summary: 'Enqueue one job, or a list in `resource`',
    description:
      'A 201 means that the job is stored in Redis and will be delivered at least once. Give an `Idempotency-Key` header (one job) or `idempotency_key` per item, and a repeated request answers with the same id for 24 hours.',
    access: { area: 'jobs', verb: 'enqueue', resource: ['queue'] },
    params: queueParams,
    query: z.object({ wait, continue: queryFlag }),
    body: {
      schema: z.union([newJob, newJobs]),
      carried: ['data'],
      bound: 'batch',
    },
    replies: {
      200: {
        description: 'It was enqueued before under this idempotency key, or is finished (`wait`)',
        schema: z.union([jobRef, jobResult]),
      },
      201: { description: 'Stored', schema: z.union([jobRef, batchReply]) },
      202: { description: 'Stored, and not finished within `wait`', schema: jobRef },
    },
    errors: ['batch_failed', 'idempotency_mismatch', 'job_invalid', 'waiters_full'],
    isLongPoll: true,
  }),
  listJobs: route({
    id: 'listJobs',
    method: 'get',
    path: `${QUEUE_PATH}/jobs`,
    tag,
    summary: 'Jobs of one state, in pages',
    access: read,
    params: queueParams,
    query: z.object({
      state: z.enum(LISTED_STATES).optional(),
      limit: queryInteger(1, MAX_PAGE),
      cursor: z.string().max(512).optional(),
    }),
    replies: {
      200: {
        description: 'A page; `meta.next` is the cursor of the next one, absent at the end',
        schema: z.object({ resource: z.array(jobView), meta: z.object({ next: z.string().optional() }) }),
      },
    },
    errors: ['job_invalid'],
  }),
  getJob: route({
    id: 'getJob',
    method: 'get',
    path: JOB_PATH,
    tag,
    summary: 'One job',
    access: read,
    params: jobParams,
    replies: { 200: { description: 'The job', schema: jobView } },
    errors: ['job_not_found'],
  }),
  getJobResult: route({
    id: 'getJobResult',
    method: 'get',
    path: `${JOB_PATH}/result`,
    tag,
    summary: 'The result, waited for up to 30 s',
    access: read,
    params: jobParams,
    query: z.object({ wait }),
    replies: {
      200: { description: 'Finished: `state` tells whether it completed or failed', schema: jobResult },
      202: { description: 'Not finished yet', schema: jobRef },
      410: { description: 'It expired before it was started', schema: jobResult },
    },
    errors: ['job_not_found', 'waiters_full'],
    isLongPoll: true,
  }),
  updateJob: route({
    id: 'updateJob',
    method: 'patch',
    path: JOB_PATH,
    tag,
    summary: 'Change data, delay or priority of a job not yet started',
    access: manage,
    params: jobParams,
    body: {
      schema: z.strictObject({
        data: z.unknown().optional(),
        delay: z.int().min(0).max(MAX_DELAY_MS).optional(),
        priority: z.int().min(0).max(MAX_PRIORITY).optional(),
      }),
      carried: ['data'],
    },
    replies: { 200: { description: 'The job as it is now', schema: jobView } },
    errors: ['job_not_found', 'job_not_in_state', 'job_invalid'],
  }),
  retryJob: action('retryJob', 'retry', 'Run a finished job again, with all its attempts'),
  promoteJob: action('promoteJob', 'promote', 'Run a delayed job now'),
  cancelJob: action(
    'cancelJob',
    'cancel',
    'Cancel a job in any state; a running one is aborted within a second',
  ),
  removeJob: route({
    id: 'removeJob',
    method: 'delete',
    path: JOB_PATH,
    tag,
    summary: 'Remove a job that is not running',
    access: manage,
    params: jobParams,
    replies: {
      200: { description: 'Removed', schema: z.object({ id: z.string(), success: z.literal(true) }) },
    },
    errors: ['job_not_found', 'job_locked'],
  }),
  getJobLogs: route({
    id: 'getJobLogs',
    method: 'get',
    path: `${JOB_PATH}/logs`,
    tag,
    summary: 'Lines the processor wrote, the oldest first',
    access: read,
    params: jobParams,
    query: z.object({ limit: queryInteger(1, 1_000), offset: queryInteger(0, 1_000_000) }),
    replies: {
      200: {
        description: 'Lines',
        schema: z.object({ resource: z.array(z.string()), meta: z.object({ count: z.int() }) }),
      },
    },
    errors: ['job_not_found'],
  }),
};

function action<const Id extends string>(id: Id, verb: string, summary: string) {
  return route({
    id,
    method: 'post',
    path: `${JOB_PATH}/${verb}`,
    tag,
    summary,
    access: manage,
    params: jobParams,
    replies: { 200: { description: 'Done', schema: jobRef } },
    errors: ['job_not_found', 'job_not_in_state', 'job_locked'],
  });
}
