/** This file owns the middleware for services on Hono. It knows Hono's context by what it uses of it, not by its package. */
import type { Decision } from './decision.ts';
import { enter, type RequestFacts } from './gate.ts';
import type { Limiter } from './limiter.ts';

/** What is used of Hono's context. */
export interface LimitedContext {
  header(name: string, value: string): void;
  body(text: string, status: 429 | 503, headers: Record<string, string>): Response;
}

/** Problem types of draft-ietf-httpapi-ratelimit-headers-10 §6. */
const PROBLEMS = {
  over_limit: {
    status: 429,
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
  },
  redis_away: {
    status: 503,
    type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
    title: 'Request cannot be satisfied due to temporary server capacity constraints',
  },
} as const;

/**
 * Middleware that takes one unit (`cost`) of every policy of `limiter` that is for the request, sets the limit's header
 * fields before the handler runs, and answers a refusal with `application/problem+json`.
 *
 * ```ts
 * app.use(limitRequests({ limiter, factsOf: (c) => ({ user: c.get('user').id, route: c.req.path }) }));
 * ```
 *
 * Hono puts these fields on what `c.json`, `c.text` and `c.body` make; a handler that returns a `Response` of its own
 * sets them itself. Leases are given up when the handler has answered.
 */
export function limitRequests<C extends LimitedContext>(options: {
  limiter: Limiter;
  factsOf: (context: C) => RequestFacts | Promise<RequestFacts>;
  /** Units; default 1. */
  cost?: (context: C) => number;
}): (context: C, next: () => Promise<void>) => Promise<Response | undefined> {
  const { limiter, factsOf, cost = () => 1 } = options;
  return async (context, next) => {
    const passage = await enter(limiter, await factsOf(context), cost(context));
    for (const [name, value] of Object.entries(passage.headers)) context.header(name, value);
    if (!passage.decision.isAllowed) return refuse(context, passage.decision);
    try {
      await next();
    } finally {
      await passage.leave?.();
    }
    return undefined;
  };
}

function refuse(context: LimitedContext, { refusal, quotas }: Decision): Response {
  const { status, type, title } = PROBLEMS[refusal ?? 'over_limit'];
  const refused = quotas.filter(({ isAllowed, isShadow }) => !isAllowed && !isShadow);
  const problem = { type, title, status, 'violated-policies': refused.map(({ policy }) => policy) };
  return context.body(JSON.stringify(problem), status, { 'Content-Type': 'application/problem+json' });
}
