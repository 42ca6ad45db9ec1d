/** This file owns the words of the system: what is recorded, who changed it, error codes, bounds. */
import { z } from 'zod';

/** What operators record at run time. */
export const RECORD_KINDS = ['service', 'limit', 'account'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/** Where a service or policy comes from: the environment and the services file, or a record made at run time. */
export const RECORD_ORIGINS = ['configuration', 'system'] as const;
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
