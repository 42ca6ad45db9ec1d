/**
 * This file owns the way of a request through the limiter, for whatever framework: what is known of the request in,
 * a decision and its headers out.
 */
import { DomainError } from '@sluice/runtime';
import type { Ask, Decision } from './decision.ts';
import { type LimitHeaders, limitHeaders } from './headers.ts';
import type { Limiter } from './limiter.ts';
import type { Policy } from './policy.ts';
import type { Fact, LimitErrorCode } from './schemas.ts';

/** What is known of a request; policies that count by something unknown do not apply to it. */
export type RequestFacts = { readonly [F in Fact]?: string | undefined };

/** The asks of all policies that are for this request. Whatever it costs, it is one request at once: it takes one lease. */
export function asksFor(policies: Iterable<Policy>, facts: RequestFacts, cost = 1): Ask[] {
  const asks: Ask[] = [];
  for (const policy of policies) {
    const parts = policy.by?.map((fact) => facts[fact]);
    if (parts === undefined || parts.includes(undefined) || !policy.matches(facts)) continue;
    const key = parts.length === 0 ? EVERYONE : (parts as string[]);
    asks.push({ policy: policy.name, key, cost: policy.isConcurrent ? 1 : cost });
  }
  return asks;
}

/** The key of policies that count all requests together. */
const EVERYONE = '*';

export interface Passage {
  decision: Decision;
  headers: LimitHeaders;
  /**
   * Call when the request has been answered: gives up its leases. Never rejects; a lease that stays ends by itself.
   * `undefined` when there is none.
   */
  leave: (() => Promise<void>) | undefined;
}

/** Takes what this request costs from every policy that is for it, at once. Does not throw when refused: see `refusalOf`. */
export async function enter(limiter: Limiter, facts: RequestFacts, cost = 1): Promise<Passage> {
  const decision = await limiter.take(...asksFor(limiter.policies.values(), facts, cost));
  const { taken } = decision;
  const hasLease = taken.some(({ lease }) => lease !== undefined);
  return {
    decision,
    headers: limitHeaders(decision),
    leave: hasLease ? () => limiter.release(...taken).catch(() => undefined) : undefined,
  };
}

/** The error of a refused decision: `rate_limited`, or `limit_unavailable` when only the outage of Redis refused. */
export function refusalOf({ refusal, quotas, retryAfterMs }: Decision): DomainError<LimitErrorCode> {
  const policies = quotas
    .filter(({ isAllowed, isShadow }) => !isAllowed && !isShadow)
    .map(({ policy }) => policy);
  const details = { policies, retry_after_ms: retryAfterMs };
  if (refusal === 'redis_away') {
    return new DomainError('limit_unavailable', 'Redis is away, and without it this request may not pass.', {
      details,
    });
  }
  const again =
    retryAfterMs === null
      ? 'This cost is above the limit.'
      : `Try again in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return new DomainError('rate_limited', `Over the limit of ${policies.join(', ')}. ${again}`, { details });
}
