/** This file owns the routes that enqueue jobs, read them and wait for them. */
import {
  DEDUPLICATION_MODES,
  DURABILITIES,
  idempotencyKeySchema,
  JOB_STATES,
  jobNameSchema,
  jobOptionsSchema,
  LISTED_STATES,
  MAX_BATCH,
  MAX_PAGE,
  queueNameSchema,
} from '@sluice/jobs/schemas';
import { z } from 'zod';
import { carriedJson } from '../carried.ts';
import { IDEMPOTENCY_KEY } from '../headers.ts';
import { queryFlag, queryInteger } from '../query.ts';
import { route } from '../route.ts';

/** Seconds; above it, load balancers on the way give up first. */
export const MAX_WAIT_SECONDS = 30;

const QUEUE_PATH = '/api/v2/queues/{queue}';
export const JOB_PATH = `${QUEUE_PATH}/jobs/{id}`;
const queueParams = z.object({ queue: queueNameSchema });
export const jobParams = z.object({ queue: queueNameSchema, id: z.string().min(1).max(128) });
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

export const jobRef = z
  .object({ id: z.string(), queue: z.string(), name: z.string(), state: z.enum([...JOB_STATES, 'removed']) })
  .meta({ id: 'JobRef' });

const durability = z
  .enum(DURABILITIES)
  .meta({ description: 'What holds the job for certain, beside the memory of Redis' });

export const enqueuedJob = jobRef.extend({ durability }).meta({ id: 'EnqueuedJob' });

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
      group: z.string().nullable(),
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

export const batchReply = z.object({
  durability,
  resource: z.array(
    z.object({ id: z.string().optional(), success: z.boolean(), error: z.unknown().optional() }),
  ),
});

const read = { area: 'jobs', verb: 'read', resource: ['queue'] } as const;
const tag = 'jobs';

export const jobs = {
  enqueueJobs: route({
    id: 'enqueueJobs',
    method: 'post',
    path: `${QUEUE_PATH}/jobs`,
    tag,
    summary: 'Enqueue one job, or a list in `resource`',
    description:
      'A 201 means that the job is stored as its `durability` says and will be delivered at least once. What a queue asks for is among its limits; a 503 `durability_not_confirmed` names a job that was written and not proven. Give an `Idempotency-Key` header (one job) or `idempotency_key` per item, and a repeated request answers with the same id for 24 hours.',
    access: { area: 'jobs', verb: 'enqueue', resource: ['queue'] },
    headers: IDEMPOTENCY_KEY,
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
        schema: z.union([enqueuedJob, jobResult.extend({ durability })]),
      },
      201: { description: 'Stored', schema: z.union([enqueuedJob, batchReply]) },
      202: { description: 'Stored, and not finished within `wait`', schema: enqueuedJob },
    },
    // Not found: removed while somebody waited for it.
    errors: [
      'batch_failed',
      'idempotency_mismatch',
      'job_invalid',
      'job_not_found',
      'durability_unavailable',
      'durability_not_confirmed',
      'waiters_full',
    ],
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
};
