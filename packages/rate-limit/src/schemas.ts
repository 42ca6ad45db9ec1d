/** This file owns the words of rate limiting: policies as they are written, decisions as they are told, error codes. */
import { z } from 'zod';

export const ALGORITHMS = ['fixed', 'sliding', 'gcra', 'concurrency'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** What a policy may count by, and what it may be narrowed to. */
export const FACTS = ['key', 'session', 'user', 'address', 'route', 'service', 'queue'] as const;
export type Fact = (typeof FACTS)[number];

/** What a policy answers while Redis is away: yes, no, or by a count of this process. */
export const AWAY_MODES = ['open', 'closed', 'memory'] as const;
export type AwayMode = (typeof AWAY_MODES)[number];

/** Real lengths: a day is 24 hours, a 30-day is 2,592,000 s. */
export const PERIODS_MS = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  '7-day': 604_800_000,
  '30-day': 2_592_000_000,
} as const;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const MIN_PERIOD_MS = 100;
const MAX_PERIOD_MS = 366 * UNIT_MS.d;

/** `minute`, `hour`, `day`, `7-day`, `30-day`, or a length such as `250ms`, `10s`, `15m`, `2h`, `7d`. Told in milliseconds. */
export const periodSchema = z.string().transform((text, context) => {
  if (Object.hasOwn(PERIODS_MS, text)) return PERIODS_MS[text as keyof typeof PERIODS_MS];
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const lengthMs = match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : Number.NaN;
  if (lengthMs >= MIN_PERIOD_MS && lengthMs <= MAX_PERIOD_MS) return lengthMs;
  context.addIssue({
    code: 'custom',
    message: `'${text}' is not a period: ${Object.keys(PERIODS_MS).join(', ')}, or 100ms to 366d such as 10s or 2h`,
  });
  return z.NEVER;
});

export const MAX_LIMIT = 1_000_000_000;
/** Of one call. */
export const MAX_COST = 1_000_000;
export const MAX_POLICIES = 1_000;
const MAX_OVERRIDES = 10_000;

/** Also a string of the RateLimit header fields and a part of a Redis key. */
export const policyNameSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    'a policy is named by 1 to 64 of a-z, 0-9, dot, hyphen and underscore',
  );

const keyPartSchema = z.string().min(1).max(1_024);
/** One text, or the parts of a key that is counted by several. */
export const limitKeySchema = z.union([keyPartSchema, z.array(keyPartSchema).min(1).max(FACTS.length)]);
export const costSchema = z.int().min(0).max(MAX_COST);
const limitSchema = z.int().min(0).max(MAX_LIMIT);
const globSchema = z.string().min(1).max(512);

/** Another limit for some keys. An exact key comes before one with `*`, and of those the one with most letters. */
export const overrideSchema = z.strictObject({
  key: globSchema,
  limit: z.union([limitSchema, z.literal('unlimited')]),
  burst: limitSchema.optional(),
});

/**
 * A rule: how many, in which time, counted by what.
 *
 * ```json
 * { "name": "writes", "algorithm": "gcra", "limit": 600, "period": "minute", "burst": 50, "by": ["key", "queue"] }
 * ```
 */
export const policySchema = z
  .strictObject({
    name: policyNameSchema,
    /** `gcra`: evenly, with a burst · `sliding`: never more than `limit` in any period · `fixed`: period by period · `concurrency`: at once. */
    algorithm: z.enum(ALGORITHMS).default('gcra'),
    /** Units in a period; for `concurrency` at once. 0 refuses all. */
    limit: limitSchema,
    /** Required but for `concurrency`. */
    period: periodSchema.optional(),
    /** `gcra`: units at once after a rest. Default `limit`. */
    burst: limitSchema.optional(),
    /** `concurrency`: how long a lease holds when nobody gives it up. Default 30 s. */
    lease: periodSchema.optional(),
    /**
     * Requests are counted by these together (`['key', 'queue']`); one that lacks a fact of them is not counted.
     * Empty: all requests share one count. Absent: no request is counted, only who asks by name.
     */
    by: z.array(z.enum(FACTS)).max(FACTS.length).optional(),
    /** Requests it is for; a fact named here must be like one of its patterns (`*` stands for any letters). Default: all. */
    match: z.partialRecord(z.enum(FACTS), z.array(globSchema).min(1).max(100)).default({}),
    overrides: z.array(overrideSchema).max(MAX_OVERRIDES).default([]),
    /** Counts and tells, refuses nobody. */
    shadow: z.boolean().default(false),
    /** After a refusal everything of this key is refused for so long. Default: not at all. */
    block: periodSchema.optional(),
    /**
     * Units that a process may charge ahead for a key that is busy, to be spent within 100 ms without asking Redis.
     * Faster, and less exact: by so many may a window be exceeded, by each process. At most a tenth of the limit.
     * Default 0: Redis decides every charge.
     */
    prepay: limitSchema.default(0),
    /** While Redis is away. */
    away: z.enum(AWAY_MODES).default('memory'),
  })
  .superRefine((policy, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const isRate = policy.algorithm !== 'concurrency';
    if (isRate && policy.period === undefined) fault('period', `${policy.algorithm} needs a period`);
    if (!isRate && policy.period !== undefined)
      fault('period', 'concurrency has no period; lease is how long a slot is held');
    if (isRate && policy.lease !== undefined) fault('lease', `${policy.algorithm} has no leases`);
    if (
      policy.algorithm !== 'gcra' &&
      [policy, ...policy.overrides].some(({ burst }) => burst !== undefined)
    ) {
      fault('burst', `${policy.algorithm} has no burst`);
    }
  });

/** As written by an operator. */
export type PolicyInput = z.input<typeof policySchema>;
/** Read: defaults in place, lengths in milliseconds. */
export type PolicySettings = z.output<typeof policySchema>;

/** What a service asks over HTTP. */
export const consumeSchema = z.strictObject({ key: limitKeySchema, cost: costSchema.default(1) });

/** What it gives back: as much as it took, with the time or the lease it was told. */
export const refundSchema = z.strictObject({
  key: limitKeySchema,
  cost: costSchema.default(1),
  taken_at_ms: z.int().positive().optional(),
  lease: z
    .string()
    .regex(/^[\w-]{16}$/)
    .optional(),
});

/** What a policy says of a key. */
export const quotaSchema = z.object({
  policy: policyNameSchema,
  allowed: z.boolean(),
  /** `null`: this key has no limit. */
  limit: limitSchema.nullable(),
  /** `null`: no limit, or Redis is away and the policy is open. */
  remaining: z.int().min(0).nullable(),
  /** Milliseconds until this cost fits; 0 when it does, `null` when it never will. */
  retry_after_ms: z.int().min(0).nullable(),
  /** Milliseconds until all of the quota is there. */
  reset_after_ms: z.int().min(0),
  /** `memory` and `nobody`: Redis is away, and the answer is the policy's `away`. */
  decided_by: z.enum(['redis', 'memory', 'nobody']),
  /** When it was charged, since the epoch; for a refund. Absent when nothing was charged. */
  taken_at_ms: z.int().optional(),
  /** Of a concurrency policy: give it back when the work is done. */
  lease: z.string().optional(),
});

export const LIMIT_ERROR_CODES = ['policy_unknown', 'rate_limited', 'limit_unavailable'] as const;
export type LimitErrorCode = (typeof LIMIT_ERROR_CODES)[number];
