/**
 * This file owns a decision as HTTP header fields: `RateLimit-Policy` and `RateLimit` of
 * draft-ietf-httpapi-ratelimit-headers-10 (structured fields, RFC 9651), the older `X-RateLimit-*`, and `Retry-After`.
 */
import type { Decision, Quota } from './decision.ts';

export interface LimitHeaders {
  /** One item a policy: `"writes";q=100;w=60`. */
  'RateLimit-Policy'?: string;
  /** One item a policy, on a refusal those that refused: `"writes";r=50;t=30`. `t` is when more is there. */
  RateLimit?: string;
  /** Of the policy with least left. */
  'X-RateLimit-Limit'?: string;
  'X-RateLimit-Remaining'?: string;
  /** When all of it is there: seconds since the epoch. */
  'X-RateLimit-Reset'?: string;
  /** Seconds, on a refusal; absent when waiting is in vain. Never before the request can pass, and never before a `t` beside it. */
  'Retry-After'?: string;
}

/** Policies in shadow are not told. Parameters that are not of the draft begin with `sluice-`. */
export function limitHeaders(decision: Decision): LimitHeaders {
  const told = decision.quotas.filter(({ isShadow }) => !isShadow);
  const counted = told.filter((quota): quota is CountedQuota => quota.remaining !== null);
  const current = decision.isAllowed ? counted : counted.filter(({ isAllowed }) => !isAllowed);
  const headers: LimitHeaders = {};
  if (told.length > 0) headers['RateLimit-Policy'] = told.map(policyItem).join(', ');
  if (current.length > 0) headers.RateLimit = current.map(limitItem).join(', ');
  const tightest = tightestOf(current);
  if (tightest) {
    headers['X-RateLimit-Limit'] = String(tightest.capacity);
    headers['X-RateLimit-Remaining'] = String(tightest.remaining);
    headers['X-RateLimit-Reset'] = String(Math.ceil((decision.atMs + tightest.resetAfterMs) / 1_000));
  }
  if (!decision.isAllowed && decision.retryAfterMs !== null)
    headers['Retry-After'] = String(seconds(decision.retryAfterMs));
  return headers;
}

type CountedQuota = Quota & { remaining: number };

function policyItem({ policy, limit, capacity, periodMs }: Quota): string {
  const window =
    periodMs === null ? ';qu="concurrent-requests"' : periodMs % 1_000 === 0 ? `;w=${periodMs / 1_000}` : '';
  const burst = capacity === limit ? '' : `;sluice-burst=${capacity}`;
  return `"${policy}";q=${limit}${window}${burst}`;
}

function limitItem({ policy, remaining, nextAfterMs, retryAfterMs, decidedBy }: CountedQuota): string {
  // A refusal is told with the time its own cost needs, so that Retry-After is not before t nor t before the truth.
  const wait = retryAfterMs === null ? nextAfterMs : Math.max(nextAfterMs, retryAfterMs);
  const next = wait > 0 ? `;t=${seconds(wait)}` : '';
  return `"${policy}";r=${remaining}${next}${decidedBy === 'redis' ? '' : ';sluice-degraded'}`;
}

/** Least left; of equals the one that takes longest to fill. */
function tightestOf(quotas: readonly CountedQuota[]): CountedQuota | undefined {
  return quotas.reduce<CountedQuota | undefined>((least, quota) => {
    if (least === undefined || quota.remaining < least.remaining) return quota;
    return quota.remaining === least.remaining && quota.resetAfterMs > least.resetAfterMs ? quota : least;
  }, undefined);
}

/** Whole seconds, never early. */
function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}
