/** This file owns the answer of the limiter: one quota a policy, and together a decision. */
import type { Denial } from './denials.ts';
import type { Rule } from './policy.ts';
import type { Figures } from './steps.ts';

/** A question: may `key` have `cost` more of `policy`? */
export interface Ask {
  policy: string;
  /** Whom it is for: a text, or several parts. The first part decides the slot in a Redis Cluster. */
  key: string | readonly string[];
  /** Units; default 1. */
  cost?: number;
}

/** What was charged: hand it to `refund`, and for a lease to `release` or `renew`. */
export interface Taken extends Ask {
  cost: number;
  /** Redis' time of the charge; `null` when this process decided alone. */
  takenAtMs: number | null;
  /** The lease of a concurrency policy. */
  lease?: string;
}

/** What one policy says. Milliseconds are counted from the decision. */
export interface Quota {
  policy: string;
  isAllowed: boolean;
  /** A policy in shadow refuses nobody; `isAllowed` is what it would have said. */
  isShadow: boolean;
  /** `memory`: Redis is away and this process counted. `nobody`: Redis is away and the policy is open or closed. */
  decidedBy: 'redis' | 'memory' | 'nobody';
  limit: number;
  /** The most that fits at once: GCRA's burst, else the limit. */
  capacity: number;
  /** `null`: not per time but at once. */
  periodMs: number | null;
  /** Units left; `null` when nobody knows (Redis is away, and the policy is open). */
  remaining: number | null;
  /** Until this cost fits, if nobody else comes; 0 when it fits, `null` when it never will. Never early. */
  retryAfterMs: number | null;
  /** Until one unit more is there; 0 when none is out. */
  nextAfterMs: number;
  /** Until all of it is there. */
  resetAfterMs: number;
}

export interface Decision {
  isAllowed: boolean;
  /** `null` when allowed. `redis_away`: a policy that is closed while Redis is away refused, and no other did. */
  refusal: 'over_limit' | 'redis_away' | null;
  /** The longest wait of those that refused; 0 when allowed, `null` when waiting is in vain. */
  retryAfterMs: number | null;
  /** When it was decided, since the epoch; by Redis' clock, or this process' while Redis is away. */
  atMs: number;
  /** In the order of the asks, without those that have no limit; a refusal from memory holds the one that refused. */
  quotas: readonly Quota[];
  /** Empty when refused, and after a peek. */
  taken: readonly Taken[];
}

/** How long to wait when Redis is away and the policy is closed. */
const AWAY_RETRY_AFTER_MS = 1_000;

export function quotaOf(
  rule: Rule,
  { remaining, retry, next, reset }: Figures,
  decidedBy: Quota['decidedBy'],
): Quota {
  return {
    policy: rule.policy.name,
    isAllowed: retry === 0,
    isShadow: rule.policy.isShadow,
    decidedBy,
    limit: rule.limit,
    capacity: rule.capacity,
    periodMs: rule.periodMs,
    remaining,
    retryAfterMs: retry === -1 ? null : retry,
    nextAfterMs: next,
    resetAfterMs: reset,
  };
}

/** Without Redis and without a count. */
export function blindQuota(rule: Rule, isAllowed: boolean): Quota {
  const retry = isAllowed ? 0 : AWAY_RETRY_AFTER_MS;
  const quota = quotaOf(rule, { remaining: 0, retry, next: retry, reset: retry }, 'nobody');
  return isAllowed ? { ...quota, remaining: null } : quota;
}

export function decisionOf(quotas: readonly Quota[], atMs: number, taken: readonly Taken[]): Decision {
  let retryAfterMs: number | null = 0;
  let refusals = 0;
  let overLimit = 0;
  for (const quota of quotas) {
    if (quota.isAllowed || quota.isShadow) continue;
    refusals += 1;
    if (quota.decidedBy !== 'nobody') overLimit += 1;
    if (retryAfterMs !== null)
      retryAfterMs = quota.retryAfterMs === null ? null : Math.max(retryAfterMs, quota.retryAfterMs);
  }
  const refusal = refusals === 0 ? null : overLimit > 0 ? 'over_limit' : 'redis_away';
  return { isAllowed: refusals === 0, refusal, retryAfterMs, atMs, quotas, taken };
}

/** The same refusal again, `nowMs` of the monotonic clock. */
export function rememberedQuota(rule: Rule, { remaining, untilMs, fullAtMs }: Denial, nowMs: number): Quota {
  const retry = Math.ceil(untilMs - nowMs);
  return quotaOf(rule, { remaining, retry, next: retry, reset: Math.ceil(fullAtMs - nowMs) }, 'redis');
}
