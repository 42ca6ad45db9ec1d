/** This file owns the routes of leases: jobs handed to workers outside, in any language, and what becomes of them. */
import {
  JOB_STATES,
  LEASE_BOUNDS_MS,
  MAX_BATCH,
  MAX_DELAY_MS,
  MAX_LEASE_WAIT_SECONDS,
  MAX_LEASES,
} from '@sluice/jobs/schemas';
import { z } from 'zod';
import { carriedJson } from '../carried.ts';
import { queryFlag } from '../query.ts';
import { route } from '../route.ts';
import { QUEUE_PATH, queueParams } from './queues.ts';

const LEASE_PATH = '/api/v2/leases/{lease}';
const tag = 'leases';
/** Of a lease's queue, which is not in the path: the handler asks for the right to that one. */
const consume = { area: 'jobs', verb: 'consume' } as const;
const params = z.object({ lease: z.string().min(1).max(2_048) });
const errors = ['lease_refused', 'lease_lost'] as const;
const instant = z.iso.datetime();

const leaseMs = z
  .int()
  .min(LEASE_BOUNDS_MS.min)
  .max(LEASE_BOUNDS_MS.max)
  .meta({ description: 'How long the jobs are held without a heartbeat', example: 30_000 });
const delay = z
  .int()
  .min(0)
  .max(MAX_DELAY_MS)
  .optional()
  .meta({ description: 'Milliseconds until it may be handed out again', example: 5_000 });

const lease = z
  .object({
    lease: z
      .string()
      .meta({ description: 'Stands for this job, this attempt and this key in all calls below' }),
    job: z.object({
      id: z.string(),
      queue: z.string(),
      name: z.string(),
      data: z.unknown(),
      max_attempts: z.int(),
      timeout: z.int().nullable().meta({ description: 'Milliseconds of an attempt; no lease outlives it' }),
      created_at: instant,
      parent: z.object({ queue: z.string(), id: z.string() }).nullable(),
      scheduler: z.string().nullable(),
    }),
    attempt: z.int().meta({ description: '1 for the first', example: 1 }),
    expires_at: instant,
  })
  .meta({ id: 'Lease' });

const settled = z
  .object({
    id: z.string(),
    queue: z.string(),
    state: z.enum(JOB_STATES).meta({
      description: 'Where the job is now; `cancelled` when somebody asked for that meanwhile',
      example: 'completed',
    }),
  })
  .meta({ id: 'SettledLease' });

/** Each item is checked by itself, so that one bad lease can be told from its neighbours. */
export const completedLease = z.strictObject({ lease: params.shape.lease, result: carriedJson.optional() });

const failure = z.union([
  z.string().min(1).max(2_000),
  z
    .object({ message: z.string().min(1).max(2_000), stack: z.string().max(16_384).optional() })
    .meta({ description: 'Other members are not kept' }),
]);

export const leases = {
  takeLeases: route({
    id: 'takeLeases',
    method: 'post',
    path: `${QUEUE_PATH}/leases`,
    tag,
    summary: 'Take up to 100 jobs of a queue, waiting up to 30 s for the first',
    description: [
      'Each job is yours until `expires_at`; a heartbeat extends that. One that is neither settled nor extended is handed out again, to whoever asks, at most 10 times without an outcome.',
      'An empty list means that there was nothing within `wait` seconds. Stock BullMQ workers may serve the same queue.',
    ].join(' '),
    access: { ...consume, resource: ['queue'] },
    params: queueParams,
    body: {
      schema: z
        .strictObject({
          count: z.int().min(1).max(MAX_LEASES).default(1).meta({ example: 10 }),
          lease_ms: leaseMs.default(LEASE_BOUNDS_MS.default),
          wait: z
            .int()
            .min(0)
            .max(MAX_LEASE_WAIT_SECONDS)
            .default(0)
            .meta({ description: 'Seconds', example: 20 }),
        })
        .meta({ id: 'TakeLeases' }),
    },
    replies: { 200: { description: 'Leases, none or more', schema: z.object({ resource: z.array(lease) }) } },
    errors: ['job_invalid', 'waiters_full'],
    isLongPoll: true,
  }),
  heartbeatLease: route({
    id: 'heartbeatLease',
    method: 'post',
    path: `${LEASE_PATH}/heartbeat`,
    tag,
    summary: 'Extend a lease from now on, and hear of a cancel',
    access: consume,
    params,
    body: {
      schema: z.strictObject({ lease_ms: leaseMs.optional() }),
      isOptional: true,
    },
    replies: {
      200: {
        description: 'Extended, by `lease_ms` or as it was taken; never past the `timeout` of its job',
        schema: z.object({
          expires_at: instant,
          cancel: z.boolean().meta({ description: 'Somebody asked this job to stop' }),
        }),
      },
    },
    errors,
  }),
  completeLease: route({
    id: 'completeLease',
    method: 'post',
    path: `${LEASE_PATH}/complete`,
    tag,
    summary: 'Complete a job with its result',
    description: 'The same call again answers the same, as long as the job is retained.',
    access: consume,
    params,
    body: {
      schema: z.strictObject({ result: carriedJson.optional() }),
      carried: ['result'],
      isOptional: true,
    },
    replies: { 200: { description: 'Settled', schema: settled } },
    errors: [...errors, 'job_invalid'],
  }),
  completeLeases: route({
    id: 'completeLeases',
    method: 'post',
    path: '/api/v2/leases/complete',
    tag,
    summary: 'Complete many jobs at once',
    description:
      'Unless `?continue=true`, nothing is written when a lease of the list is malformed, forged or of another key. One that has been lost meanwhile leaves the others as they are: they are completed.',
    access: consume,
    query: z.object({ continue: queryFlag }),
    body: {
      schema: z
        .strictObject({
          resource: z
            .array(z.unknown())
            .min(1)
            .max(MAX_BATCH)
            .meta({
              items: {
                type: 'object',
                required: ['lease'],
                properties: { lease: { type: 'string' }, result: {} },
              },
              example: [{ lease: 'bE3f…', result: { width: 640 } }],
            }),
        })
        .meta({ id: 'CompletedLeases' }),
      carried: ['result'],
      bound: 'batch',
    },
    replies: {
      200: {
        description: 'Settled, all of them',
        schema: z.object({ resource: z.array(settled.extend({ success: z.literal(true) })) }),
      },
    },
    errors: ['batch_failed', 'batch_refused', ...errors, 'job_invalid'],
  }),
  failLease: route({
    id: 'failLease',
    method: 'post',
    path: `${LEASE_PATH}/fail`,
    tag,
    summary: 'Fail an attempt: again later, or for good',
    description:
      'Retryable (the default), the job runs again after its `backoff`, or after `delay`, as long as it has attempts left.',
    access: consume,
    params,
    body: {
      schema: z
        .strictObject({
          error: failure,
          retryable: z.boolean().default(true),
          delay,
        })
        .meta({ id: 'FailLease' }),
    },
    replies: { 200: { description: 'Settled', schema: settled } },
    errors,
  }),
  releaseJobLease: route({
    id: 'releaseJobLease',
    method: 'post',
    path: `${LEASE_PATH}/release`,
    tag,
    summary: 'Give a job back undone; its attempt does not count',
    access: consume,
    params,
    body: { schema: z.strictObject({ delay }), isOptional: true },
    replies: { 200: { description: 'Settled', schema: settled } },
    errors,
  }),
  reportLeaseProgress: route({
    id: 'reportLeaseProgress',
    method: 'post',
    path: `${LEASE_PATH}/progress`,
    tag,
    summary: 'Tell how far a job is, in JSON of at most 4 KiB',
    access: consume,
    params,
    body: { schema: z.strictObject({ progress: carriedJson }), carried: ['progress'] },
    replies: { 200: { description: 'Told', schema: z.object({ success: z.literal(true) }) } },
    errors: [...errors, 'job_invalid'],
  }),
  addLeaseLogs: route({
    id: 'addLeaseLogs',
    method: 'post',
    path: `${LEASE_PATH}/logs`,
    tag,
    summary: 'Add lines to the log of a job, which keeps the last 100',
    access: consume,
    params,
    body: {
      schema: z.strictObject({
        lines: z
          .array(z.string().max(65_536))
          .min(1)
          .max(100)
          .meta({ description: 'A line is cut at 8 KiB', example: ['half of it done'] }),
      }),
    },
    replies: {
      200: { description: 'Added', schema: z.object({ success: z.literal(true), count: z.int() }) },
    },
    errors,
  }),
};
