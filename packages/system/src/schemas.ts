/** This file owns the words of the system: what is recorded, who changed it, error codes, bounds. */
import { z } from 'zod';

/** What operators record at run time. */
export const RECORD_KINDS = ['service', 'limit', 'account', 'alert'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/** Where a service, policy or alert comes from: the environment and the services file, a record made at run time, or the product itself. */
export const RECORD_ORIGINS = ['configuration', 'system', 'built_in'] as const;
export type RecordOrigin = (typeof RECORD_ORIGINS)[number];

/** Who made a change: an API key, an operator's account in the console, a person at the command line, or the product itself at its start. */
export const authorSchema = z.object({
  kind: z.enum(['key', 'account', 'cli', 'start']),
  /** Of the key, or the account's name; `null` for others. */
  id: z.string().nullable(),
  /** The key's label, the user's name. */
  label: z.string(),
});
export type Author = z.infer<typeof authorSchema>;

/** A change, for the trail. */
export interface Authorship {
  author: Author;
  /** `null`: not asked over HTTP. */
  requestId: string | null;
}

/** One entry of the trail. */
export const trailEntrySchema = z.object({
  /** Of the stream: when, by Redis' clock, and a number. */
  id: z.string(),
  /** Milliseconds since the epoch. */
  at: z.int(),
  author: authorSchema,
  /** `service.create`, `key.revoke` … */
  action: z.string(),
  /** `service:orders`, `key:<id>` … */
  target: z.string(),
  request_id: z.string().nullable(),
  /** Without secrets; `null`: it was not there. */
  before: z.unknown(),
  after: z.unknown(),
});
export type TrailEntry = z.infer<typeof trailEntrySchema>;

/** The id of the last entry told. */
export const trailCursorSchema = z.string().regex(/^\d{1,16}-\d{1,16}$/, 'is no cursor of the trail');

/**
 * What an alert looks at, of each queue or each Redis:
 *
 * - `failure_rate` share of the jobs that ended in the last five minutes and failed for good; of at least five failures
 * - `oldest_age` seconds for which a job has waited, of a queue that is not held
 * - `no_consumer` jobs that wait while no worker is connected, none is at work and none has ended
 * - `stalled` jobs lost by their worker in the last five minutes
 * - `redis_down` 1 while a Redis does not answer
 * - `redis_memory`, `redis_clients` share of what Redis may use
 * - `redis_hit_ratio` share of reads of a cache's Redis that find a key, over five minutes; an alert below the threshold
 * - `redis_evictions` keys dropped for want of memory in the last five minutes, by any Redis but that of queues
 * - `redis_queue_evictions` the same of the Redis of queues, where each is a piece of a job
 */
export const ALERT_RULES = [
  'failure_rate',
  'oldest_age',
  'no_consumer',
  'stalled',
  'redis_down',
  'redis_memory',
  'redis_clients',
  'redis_hit_ratio',
  'redis_evictions',
  'redis_queue_evictions',
] as const;
export type AlertRule = (typeof ALERT_RULES)[number];

/** The endpoint of deliveries that alerts go to unless they name another. */
export const ALERT_ENDPOINT = 'alerts';
const DAY_SECONDS = 86_400;

export const alertSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'is not 1 to 64 of a-z, 0-9, dot, - and _'),
  rule: z.enum(ALERT_RULES),
  /** Names, or beginnings with `*`, of queues or of connections to Redis. */
  subjects: z
    .array(
      z
        .string()
        .regex(/^[\w.-]{0,64}\*?$/, 'is no name and no beginning of one with *')
        .min(1),
    )
    .min(1)
    .max(100)
    .default(['*']),
  /** Above it, or for a hit ratio below it. */
  threshold: z.number().min(0).max(1e15),
  /** For so long without a break. */
  for_seconds: z.int().min(0).max(DAY_SECONDS),
  /** No second message about a subject sooner. */
  quiet_seconds: z
    .int()
    .min(1)
    .max(30 * DAY_SECONDS)
    .default(3_600),
  endpoint: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, 'is no name of an endpoint')
    .default(ALERT_ENDPOINT),
  is_active: z.boolean().default(true),
});
export type Alert = z.infer<typeof alertSchema>;

export const ALERT_PHASES = ['pending', 'firing', 'quiet'] as const;

/** Where an alert stands with one subject. Times are milliseconds since the epoch, by Redis' clock. */
export const alertStateSchema = z.object({
  /** `quiet`: it is over, and its quiet time is not. */
  phase: z.enum(ALERT_PHASES),
  /** When it began; of all that follows it until it is forgotten. */
  sinceMs: z.int(),
  value: z.number(),
  /** What its receiver was told last, and when; `null`: nothing. */
  told: z.enum(['firing', 'resolved']).nullable(),
  toldAtMs: z.int().nullable(),
  /** Messages sent, so that each has a name of its own. */
  messages: z.int(),
});
export type AlertState = z.infer<typeof alertStateSchema>;

/** Why a Redis that was tried cannot serve, in the words of `@sluice/redis`. */
export const REDIS_FAULTS = ['unavailable', 'auth', 'readonly', 'loading', 'oom', 'busy'] as const;

/** What an operator's account may do in the console: look, act on jobs and caches, or change the installation as well. */
export const ACCOUNT_ROLES = ['viewer', 'operator', 'admin'] as const;
export type AccountRole = (typeof ACCOUNT_ROLES)[number];

export const accountNameSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._@-]{0,63}$/,
    'is 1 to 64 small letters, digits and . _ @ -, of which the first is a letter or a digit',
  );

/** Length matters more than the kinds of characters (NIST SP 800-63B §3.1.1.2). */
export const MIN_PASSWORD_CHARACTERS = 12;
export const MAX_PASSWORD_CHARACTERS = 256;

/** Of one call. */
export const MAX_BATCH_RECORDS = 100;
export const MAX_TRAIL_PAGE = 100;

/**
 * - `record_invalid` a record is wrong; `details.issues` says where
 * - `record_unknown` no record has this name
 * - `name_taken` another has this name already
 * - `record_read_only` it comes from the environment or the services file
 * - `record_changed` others changed it again and again meanwhile
 * - `version_mismatch` it is not at the version that the caller named
 * - `too_many_records` the installation holds as many as it may
 */
export const SYSTEM_ERROR_CODES = [
  'record_invalid',
  'record_unknown',
  'name_taken',
  'record_read_only',
  'record_changed',
  'version_mismatch',
  'too_many_records',
] as const;
export type SystemErrorCode = (typeof SYSTEM_ERROR_CODES)[number];
