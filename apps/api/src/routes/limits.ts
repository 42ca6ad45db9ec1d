/** This file owns the answers about limits that services share. */
import type { ErrorCode, RouteReply, routes } from '@sluice/contract';
import { type Decision, type Limiter, limitHeaders } from '@sluice/rate-limit';
import { DomainError } from '@sluice/runtime';
import type { Handlers } from '../http/call.ts';
import { json } from '../http/reply.ts';

type LimitRoutes = Pick<typeof routes, 'consumeLimit' | 'refundLimit' | 'peekLimit' | 'resetLimit'>;

export function limitHandlers({ limiter }: { limiter: Limiter }): Handlers<LimitRoutes> {
  /** Policies that count requests to this API are for looking and resetting: nobody charges another's requests. */
  const shared = (policy: string): string => {
    if (limiter.policies.get(policy)?.by === undefined) return policy;
    throw new DomainError<ErrorCode>(
      'policy_unknown',
      `'${policy}' counts requests to this API, and nothing else.`,
    );
  };
  return {
    consumeLimit: async ({ params, body }) => {
      const decision = await limiter.take({ policy: shared(params.policy), ...body });
      return json(200, quotaBody(params.policy, decision), { ...limitHeaders(decision) });
    },
    refundLimit: async ({ params, body }) => {
      const { key, cost, taken_at_ms: takenAtMs, lease } = body;
      const charge = { policy: shared(params.policy), key, cost };
      await limiter.refund({ ...charge, ...(takenAtMs && { takenAtMs }), ...(lease && { lease }) });
      return json(200, { success: true });
    },
    peekLimit: async ({ params, query }) => {
      const decision = await limiter.peek({ policy: params.policy, key: query.key, cost: query.cost ?? 1 });
      return json(200, quotaBody(params.policy, decision), { ...limitHeaders(decision) });
    },
    resetLimit: async ({ params, query }) => {
      await limiter.reset({ policy: params.policy, key: query.key });
      return json(200, { success: true });
    },
  };
}

function quotaBody(policy: string, decision: Decision): RouteReply<LimitRoutes['consumeLimit']> {
  const [quota] = decision.quotas;
  const [taken] = decision.taken;
  return {
    policy,
    allowed: decision.isAllowed,
    limit: quota?.limit ?? null,
    remaining: quota?.remaining ?? null,
    retry_after_ms: decision.retryAfterMs,
    reset_after_ms: quota?.resetAfterMs ?? 0,
    decided_by: quota?.decidedBy ?? 'redis',
    ...(taken?.takenAtMs && { taken_at_ms: taken.takenAtMs }),
    ...(taken?.lease && { lease: taken.lease }),
  };
}
