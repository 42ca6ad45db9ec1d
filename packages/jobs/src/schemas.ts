/** This file owns the words of jobs: names, options, states, error codes. Durations are milliseconds unless a line says otherwise. */
import { z } from 'zod';

/** A year: BullMQ's delayed score is `milliseconds * 4096` and stays exact until 2039. */
export const MAX_DELAY_MS = 365 * 86_400_000;
export const MAX_PRIORITY = 2 ** 21 - 1;
export const MAX_ATTEMPTS = 100;
export const MAX_BACKOFF_DELAY_MS = 30 * 86_400_000;
export const MAX_TIMEOUT_MS = 86_400_000;
/**
 * What a finished job may ask for; one that asks for more or less gets this. BullMQ trims to the count of whichever job
 * finishes, in one step: within these bounds it removes 5,000 jobs at most, 50 ms of Redis' time. Age in seconds, as
 * BullMQ counts it.
 */
export const RETAIN_BOUNDS = {
  ageSeconds: { max: 30 * 86_400 },
  completedCount: { min: 1, max: 5_000 },
  failedCount: { min: 5_000, max: 10_000 },
} as const;
export const MAX_BATCH = 1_000;
export const MAX_PAGE = 100;
/** Jobs handed to an outside worker at once. */
export const MAX_LEASES = 100;
/** How long a lease lasts without a heartbeat. */
export const LEASE_BOUNDS_MS = { min: 1_000, max: 43_200_000, default: 30_000 } as const;
/** Seconds a request for jobs may wait for the first of them. */
export const MAX_LEASE_WAIT_SECONDS = 30;

/** `p{Cc}` control characters, `p{Surrogate}` half a character. */
const PLAIN_TEXT = /^[^\p{Cc}\p{Surrogate}]*$/u;
const plainText = (max: number, what: string) =>
  z.string().min(1).max(max).regex(PLAIN_TEXT, `${what} holds a control character or half a surrogate pair`);

export const queueNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    'a queue name is 1 to 64 letters, digits, - or _, and begins with a letter or digit',
  );
export const jobNameSchema = plainText(128, 'a job name');
/** The caller's word for one intent; the same word again within the window is the same job. */
export const idempotencyKeySchema = plainText(255, 'an idempotency key');
export const schedulerIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    'a scheduler id is 1 to 64 letters, digits, - or _, and begins with a letter or digit',
  );

export const BACKOFF_TYPES = ['fixed', 'exponential'] as const;
export const backoffSchema = z.strictObject({
  type: z.enum(BACKOFF_TYPES),
  /** Of the first retry; `exponential` doubles it each time. */
  delay: z.int().min(0).max(MAX_BACKOFF_DELAY_MS),
  /** Part of the delay that is random: 0 none (the default), 1 all of it. */
  jitter: z.number().min(0).max(1).optional(),
});

/**
 * - `simple` a second job of the id is dropped until the first has ended
 * - `throttle` … until `ttl` has passed since the first
 * - `debounce` each job replaces the one before that still waits for its delay, and begins `ttl` again; the delay is `ttl` unless given
 * - `keep_last` while one runs, the last of those that came meanwhile is kept and runs after it
 */
export const DEDUPLICATION_MODES = ['simple', 'throttle', 'debounce', 'keep_last'] as const;
export const deduplicationSchema = z
  .strictObject({
    id: plainText(256, 'a deduplication id'),
    /** Needed by `throttle` and `debounce`, refused by the others. */
    ttl: z.int().min(1).max(MAX_DELAY_MS).optional(),
    /** Default `throttle` with a ttl, `simple` without. */
    mode: z.enum(DEDUPLICATION_MODES).optional(),
  })
  .superRefine(({ ttl, mode }, context) => {
    const needsTtl = mode === 'throttle' || mode === 'debounce';
    if (needsTtl && ttl === undefined)
      context.addIssue({ code: 'custom', path: ['ttl'], message: `mode ${mode} needs a ttl` });
    if (mode !== undefined && !needsTtl && ttl !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['ttl'],
        message: `mode ${mode} lasts until the job has ended and takes no ttl`,
      });
    }
  });

/** How long a finished job is kept, whichever bound comes first. Applied when another job of the queue finishes; there is no timer. */
export const retainSchema = z.strictObject({
  /** Seconds, at most 30 days. */
  age: z.int().min(0).optional(),
  /** Jobs of the queue in the same state; 0 keeps none. Else completed 1 to 5,000, failed 5,000 to 10,000: what is nearest. */
  count: z.int().min(0).optional(),
});

const instant = z.iso.datetime({ offset: true });
const optionFields = {
  /** 0 and absent: at once. */
  delay: z.int().min(0).max(MAX_DELAY_MS).optional(),
  /** Instead of `delay`; a time that has passed means at once. */
  run_at: instant.optional(),
  /** 0 (default) goes before all others, then 1, 2, … */
  priority: z.int().min(0).max(MAX_PRIORITY).optional(),
  /** Whose job it is: groups that wait take turns, so none keeps the others waiting. Instead of `priority` and `lifo`. */
  group: plainText(128, 'a group').optional(),
  /** Before the jobs that wait already. Default false. */
  lifo: z.boolean().optional(),
  /** Runs in all; default 1. */
  attempts: z.int().min(1).max(MAX_ATTEMPTS).optional(),
  /** Default: the next attempt follows at once. */
  backoff: backoffSchema.optional(),
  /** Per attempt; default: its processor's. */
  timeout: z.int().min(1).max(MAX_TIMEOUT_MS).optional(),
  /** Not started within this time, it ends as `expired`. */
  ttl: z.int().min(1).max(MAX_DELAY_MS).optional(),
  /** Instead of `ttl`. */
  expires_at: instant.optional(),
  deduplication: deduplicationSchema.optional(),
  /** Default: completed 24 h or 1,000 jobs, failed 14 days or 10,000. */
  retain: retainSchema.optional(),
};

/** Of the jobs a scheduler makes: their time is the scheduler's, and none of them may stand for another. `ttl` counts from a job's time. */
export const templateOptionsSchema = z
  .strictObject({
    priority: optionFields.priority,
    group: optionFields.group,
    lifo: optionFields.lifo,
    attempts: optionFields.attempts,
    backoff: optionFields.backoff,
    timeout: optionFields.timeout,
    ttl: optionFields.ttl,
    retain: optionFields.retain,
  })
  .superRefine(relateOptions);
export type TemplateOptions = z.infer<typeof templateOptionsSchema>;

/** Of a job in a flow, which is told by its parent. */
export const flowOptionsSchema = z
  .strictObject({
    ...optionFields,
    deduplication: z
      .undefined({ error: 'a job of a flow cannot be deduplicated' })
      .optional()
      .meta({ not: {}, type: 'object', description: 'A job of a flow cannot be deduplicated' }),
  })
  .superRefine(relateOptions);

/**
 * What becomes of a parent when this child has failed for good:
 * - `fail_parent` (default) it fails as well
 * - `continue_parent` it runs at once, whatever the other children do
 * - `ignore` it runs when the others have ended, and is told of the failure
 * - `forget` it runs when the others have ended, as if this child had never been
 * - `wait` it waits until the child has been retried with success
 */
export const FLOW_POLICIES = ['fail_parent', 'continue_parent', 'ignore', 'forget', 'wait'] as const;
export type FlowPolicy = (typeof FLOW_POLICIES)[number];
export const MAX_FLOW_JOBS = 500;
export const MAX_FLOW_DEPTH = 10;

/** Jobs made again and again: by a cron expression (five fields, or six with seconds first) or every so many milliseconds, the first at once. */
export const scheduleSchema = z
  .strictObject({
    cron: z
      .string()
      .max(128)
      .regex(
        /^[0-9A-Za-z*,/?#@ -]+$/,
        'a cron expression has five or six fields of digits, names and * , - / ? # L',
      )
      .optional(),
    /** IANA name; default UTC. */
    tz: z.string().max(64).optional(),
    every: z.int().min(1_000).max(MAX_DELAY_MS).optional(),
    /** Jobs in all; default without end. */
    limit: z.int().min(1).optional(),
    starts_at: instant.optional(),
    ends_at: instant.optional(),
  })
  .superRefine(({ cron, tz, every }, context) => {
    if ((cron === undefined) === (every === undefined))
      context.addIssue({ code: 'custom', path: ['cron'], message: 'give cron or every' });
    if (tz !== undefined && cron === undefined)
      context.addIssue({ code: 'custom', path: ['tz'], message: 'belongs to cron' });
  });
export type Schedule = z.infer<typeof scheduleSchema>;

/** What of a job that has not been started may be changed, beside its data. */
export const jobPatchSchema = z.strictObject({ delay: optionFields.delay, priority: optionFields.priority });

interface OptionRelations {
  delay?: number | undefined;
  run_at?: string | undefined;
  priority?: number | undefined;
  group?: string | undefined;
  lifo?: boolean | undefined;
  ttl?: number | undefined;
  expires_at?: string | undefined;
  attempts?: number | undefined;
  backoff?: z.infer<typeof backoffSchema> | undefined;
}

function relateOptions(options: OptionRelations, context: z.RefinementCtx): void {
  const { delay, run_at, priority, group, lifo, ttl, expires_at, attempts = 1, backoff } = options;
  const refuse = (path: string, message: string) =>
    context.addIssue({ code: 'custom', path: [path], message });
  if (delay !== undefined && run_at !== undefined) refuse('run_at', 'stands beside delay: give one of them');
  if (group !== undefined && priority) refuse('priority', 'stands beside group: give one of them');
  if (group !== undefined && lifo) refuse('lifo', 'stands beside group: give one of them');
  if (ttl !== undefined && expires_at !== undefined)
    refuse('expires_at', 'stands beside ttl: give one of them');
  if (delay !== undefined && ttl !== undefined && ttl <= delay) refuse('ttl', 'ends before the delay does');
  if (backoff?.type === 'exponential' && backoff.delay * 2 ** (attempts - 1) > MAX_DELAY_MS) {
    refuse(
      'backoff',
      `doubles ${attempts - 1} times to more than a year: give fewer attempts or a shorter delay`,
    );
  }
}

/** How a job is to be run. An unknown option is an error, so a typing mistake is not a job that runs at once. */
export const jobOptionsSchema = z.strictObject(optionFields).superRefine(relateOptions);
export type JobOptions = z.infer<typeof jobOptionsSchema>;

/** Where a job is. `expired` and `cancelled` are told apart from `failed`, which is where they are kept and counted. */
export const JOB_STATES = [
  'waiting',
  'prioritized',
  'delayed',
  'active',
  'waiting-children',
  'completed',
  'failed',
  'expired',
  'cancelled',
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** The places jobs are kept in, and so what can be counted and listed. */
export const LISTED_STATES = [
  'waiting',
  'prioritized',
  'delayed',
  'active',
  'waiting-children',
  'completed',
  'failed',
] as const;
export type ListedState = (typeof LISTED_STATES)[number];
export const listedStateSchema = z.enum(LISTED_STATES);
export const CLEANED_STATES = ['waiting', 'prioritized', 'delayed', 'completed', 'failed'] as const;
export type CleanedState = (typeof CLEANED_STATES)[number];
export const cleanedStateSchema = z.enum(CLEANED_STATES);

/** At most `max` jobs begun in each `duration` milliseconds. */
const rateLimitSchema = z.strictObject({
  max: z.int().min(1).max(1_000_000),
  duration: z.int().min(1).max(86_400_000),
});

/**
 * Where a job is when its enqueueing is answered, beside the memory of Redis' primary:
 * - `memory` (default) nowhere for certain
 * - `aof` in the primary's append-only file, on disk
 * - `replica` in the memory of one replica
 * - `aof+replica` on disk at the primary and at one replica
 */
export const DURABILITIES = ['memory', 'aof', 'replica', 'aof+replica'] as const;
export type Durability = (typeof DURABILITIES)[number];

/** A queue's own bounds and its durability; `null` takes one away, what is absent stays. */
export const queueLimitsSchema = z.strictObject({
  /** Jobs at work at the same time on all workers together. */
  concurrency: z.int().min(1).max(100_000).nullish(),
  rate: rateLimitSchema.nullish(),
  /** The same of each group, on our own workers; what is absent in it is no bound. */
  group: z
    .strictObject({ concurrency: z.int().min(1).max(10_000).nullish(), rate: rateLimitSchema.nullish() })
    .nullish(),
  durability: z.enum(DURABILITIES).nullish(),
});
export type QueueLimitsPatch = z.infer<typeof queueLimitsSchema>;

/**
 * Why a job ended without a result.
 * - `expired` not started before its `expires_at`
 * - `cancelled` somebody asked for it
 * - `timeout` the last attempt ran longer than allowed
 * - `invalid_payload` `invalid_result` does not fit the job's schema, or is not JSON
 * - `result_too_large` above the job's `maxResultBytes`
 * - `unknown_job` no processor of that name where the queue is served
 * - `max_deliveries` handed out again and again without an outcome: it takes its worker down, or outlives its lock
 * - `fatal` the processor said that another attempt cannot help
 * - `error` anything else a processor threw
 */
export const FAILURE_CODES = [
  'expired',
  'cancelled',
  'timeout',
  'invalid_payload',
  'invalid_result',
  'result_too_large',
  'unknown_job',
  'max_deliveries',
  'fatal',
  'error',
] as const;
export type FailureCode = (typeof FAILURE_CODES)[number];
export const failureCodeSchema = z.enum(FAILURE_CODES);

/**
 * - `job_invalid` name, options, id or cursor cannot be used; `details.issues` says which field and why
 * - `job_not_found` `queue_not_found` `scheduler_not_found` none of this name
 * - `job_not_in_state` the job is there, and not where this call needs it; `details.state` says where
 * - `job_locked` a worker holds the job, or one of its children
 * - `idempotency_mismatch` the key was used for another job within its window
 * - `batch_refused` valid itself, not written because another job of the batch is not
 * - `queue_not_paused` `queue_active` the queue must be paused, and idle, first
 * - `flow_spans_slots` its queues lie in different slots of the Cluster
 * - `overloaded` too many jobs of this process are on their way to Redis
 * - `quota_backlog_exceeded` as many jobs of this caller wait in the queue as may
 * - `durability_refused` Redis, as it is, cannot give a queue this durability
 * - `durability_unavailable` the queue's durability cannot be had just now; nothing was written
 * - `durability_not_confirmed` the job was written, and what its queue's durability asks for did not come in time
 * - `waiters_full` the process holds as many waits and streams as it may
 * - `lease_refused` no lease of ours, or one of another key
 * - `lease_lost` it ran out, or its job was settled or removed: whatever was done under it, somebody else may do again
 */
export const JOBS_ERROR_CODES = [
  'job_invalid',
  'job_not_found',
  'queue_not_found',
  'scheduler_not_found',
  'job_not_in_state',
  'job_locked',
  'idempotency_mismatch',
  'batch_refused',
  'queue_not_paused',
  'queue_active',
  'flow_spans_slots',
  'overloaded',
  'quota_backlog_exceeded',
  'durability_refused',
  'durability_unavailable',
  'durability_not_confirmed',
  'waiters_full',
  'lease_refused',
  'lease_lost',
] as const;
export type JobsErrorCode = (typeof JOBS_ERROR_CODES)[number];
