/** This file owns the words of access: scopes, API keys as they are told, error codes. */
import { z } from 'zod';

/**
 * What a caller may be allowed to do:
 *
 * `<area>:<verb>[:<resource glob>]` - `area:*` for every verb, `*` for everything, `board` for `board:read`. A glob is
 * compared with the whole resource, letter by letter; `*` may stand at its end only. Without a glob: every resource.
 *
 * | area | resource |
 * |---|---|
 * | cache | `{service}/{key}`, so `cache:read:redis/user:*`; flush asks for a key prefix |
 * | jobs | queue |
 * | limits | policy |
 * | channels | channel |
 *
 * What no scope names is refused.
 */
export const SCOPE_VERBS = {
  cache: ['read', 'write', 'delete', 'flush'],
  jobs: ['enqueue', 'read', 'manage', 'consume'],
  deliveries: ['send', 'read', 'manage'],
  limits: ['consume', 'read', 'manage'],
  sessions: ['read', 'write'],
  channels: ['publish', 'subscribe'],
  board: ['read', 'write'],
  metrics: ['read'],
  system: ['read', 'write'],
} as const;

export type Area = keyof typeof SCOPE_VERBS;
export type Verb<A extends Area = Area> = (typeof SCOPE_VERBS)[A][number];

/** Areas whose scopes may name a resource. */
const AREAS_WITH_RESOURCES: readonly string[] = ['cache', 'jobs', 'limits', 'channels'];

/** A cache key of 1,024 bytes behind the longest service name, with its area and verb. */
const MAX_SCOPE_CHARACTERS = 1_100;
const MAX_SCOPES = 100;
/** The year 2100: enough for any key, and few enough digits for Lua's JSON. */
const MAX_INSTANT = 4_102_444_800_000;
/** Logs and terminals show labels, Lua's JSON refuses half a surrogate pair. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}]*$/u;
const PRINTABLE_FAULT = 'no control characters and no half surrogate pairs';

export interface ParsedScope {
  area: Area | '*';
  verb: Verb | '*';
  /** `undefined`: every resource. */
  glob: string | undefined;
}

/** A scope taken apart, or the sentence that says what is wrong with it. */
export function parseScope(text: string): ParsedScope | { fault: string } {
  if (text === '*') return { area: '*', verb: '*', glob: undefined };
  if (text === 'board') return { area: 'board', verb: 'read', glob: undefined };
  const [area = '', verb, ...rest] = text.split(':');
  if (!isArea(area))
    return { fault: `scope '${text}' names no area of ${Object.keys(SCOPE_VERBS).join(', ')}` };
  const verbs: readonly string[] = SCOPE_VERBS[area];
  if (verb === undefined || (verb !== '*' && !verbs.includes(verb))) {
    return { fault: `scope '${text}' needs a verb of ${area}: ${verbs.join(', ')} or *` };
  }
  const glob = rest.length === 0 ? undefined : rest.join(':');
  const fault = glob === undefined ? undefined : globFault(area, glob);
  return fault === undefined
    ? { area, verb: verb as Verb | '*', glob }
    : { fault: `scope '${text}' ${fault}` };
}

function isArea(text: string): text is Area {
  return Object.hasOwn(SCOPE_VERBS, text);
}

function globFault(area: Area, glob: string): string | undefined {
  if (!AREAS_WITH_RESOURCES.includes(area)) return `names a resource, and ${area} has none`;
  if (glob === '') return 'ends with a colon and names no resource';
  if (glob.slice(0, -1).includes('*')) return 'holds a * that is not at its end';
  if (area !== 'cache' || glob === '*') return undefined;
  if (/^[a-z0-9_-]{1,40}\//.test(glob)) return undefined;
  return 'must name a service in lower case and its keys, as in cache:read:redis/*';
}

export const scopeSchema = z
  .string()
  .min(1)
  .max(MAX_SCOPE_CHARACTERS)
  .regex(PRINTABLE, PRINTABLE_FAULT)
  .superRefine((text, context) => {
    const scope = parseScope(text);
    if ('fault' in scope) context.addIssue({ code: 'custom', message: scope.fault });
  });

/** An id is part of the key and no secret. */
export const keyIdSchema = z.string().regex(/^[0-9A-Za-z]{12}$/, 'a key id is 12 letters and digits');

/** Real lengths: a day is 24 hours. */
export const QUOTA_PERIODS = ['minute', 'hour', 'day', '7-day', '30-day'] as const;
export type QuotaPeriod = (typeof QUOTA_PERIODS)[number];
const MAX_QUOTA = 1_000_000_000;
const MAX_BACKLOG = 1_000_000;

/** What one key may use at most, beside the limits that hold for everybody. What is absent is not bounded. */
export const keyQuotaSchema = z.strictObject({
  /** Requests in any such period. */
  requests: z
    .strictObject({ limit: z.int().min(1).max(MAX_QUOTA), period: z.enum(QUOTA_PERIODS) })
    .optional(),
  /** Jobs it has put into one queue that no worker has begun yet. */
  backlog: z.int().min(0).max(MAX_BACKLOG).optional(),
  /** Bytes of one body. */
  payloadBytes: z.int().min(0).max(MAX_QUOTA).optional(),
});
export type KeyQuota = z.infer<typeof keyQuotaSchema>;

const labelSchema = z.string().trim().min(1).max(100).regex(PRINTABLE, PRINTABLE_FAULT);
const scopesSchema = z.array(scopeSchema).min(1).max(MAX_SCOPES);
const expiresAtSchema = z.int().positive().max(MAX_INSTANT).nullable();

export const newKeySchema = z.strictObject({
  /** Whose key it is, for people. */
  label: labelSchema,
  scopes: scopesSchema,
  /** Milliseconds since the epoch; absent or `null`: until revoked. */
  expiresAt: expiresAtSchema.optional(),
  /** Absent or `null`: none. */
  quota: keyQuotaSchema.nullish(),
});
export type NewKey = z.infer<typeof newKeySchema>;

/** What may change of a key; what is absent stays, `null` ends an expiry or a quota. */
export const keyPatchSchema = z.strictObject({
  label: labelSchema.optional(),
  scopes: scopesSchema.optional(),
  expiresAt: expiresAtSchema.optional(),
  /** False: it opens nothing until it is true again. */
  isActive: z.boolean().optional(),
  quota: keyQuotaSchema.nullable().optional(),
});
export type KeyPatch = z.infer<typeof keyPatchSchema>;

/** 90 days. */
export const MAX_ROTATION_OVERLAP_SECONDS = 90 * 86_400;

/** `made` by whoever may · `first` at the first start · `environment` from SLUICE_API_KEY. */
export const KEY_ORIGINS = ['made', 'first', 'environment'] as const;

const instant = z.int().nonnegative();

/** What is told of a key: never the key, never its digest. Times are milliseconds since the epoch. */
export const keyRecordSchema = z.object({
  id: keyIdSchema,
  label: z.string(),
  scopes: z.array(z.string()),
  /** False: suspended, until it is true again. */
  isActive: z.boolean().default(true),
  /** `null`: none. */
  quota: keyQuotaSchema.nullable().default(null),
  /** Grows with every change. */
  version: z.int().positive().default(1),
  origin: z.enum(KEY_ORIGINS),
  createdAt: instant,
  /** `null`: never. */
  expiresAt: instant.nullable(),
  /** `null`: not revoked. */
  revokedAt: instant.nullable(),
  /** The key made in place of this one, or `null`. */
  replacedBy: keyIdSchema.nullable(),
  /** To the minute; `null`: not yet. */
  lastUsedAt: instant.nullable(),
});
export type KeyRecord = z.infer<typeof keyRecordSchema>;

/**
 * - `key_invalid` label, scopes or expiry of a new key are wrong
 * - `key_unknown` no key has this id
 * - `key_ended` the key is revoked, expired or suspended, and cannot be rotated
 * - `key_changed` the key is at another version than the caller read
 * - `last_admin_key` no other key opens everything, so this one must
 * - `too_many_keys` the installation holds as many keys as it may
 * - `secret_changed` the stored keys were made with another master secret, so none of them can be told from a forgery
 */
export const ACCESS_ERROR_CODES = [
  'key_invalid',
  'key_unknown',
  'key_ended',
  'key_changed',
  'last_admin_key',
  'too_many_keys',
  'secret_changed',
] as const;
export type AccessErrorCode = (typeof ACCESS_ERROR_CODES)[number];
