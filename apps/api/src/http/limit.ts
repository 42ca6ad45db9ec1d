/** This file owns the limits at the door: what is known of a request, and what they answer. */
import type { RouteDeclaration } from '@sluice/contract';
import {
  addressKey,
  type ClientAddress,
  enter,
  type Limiter,
  type RequestFacts,
  refusalOf,
} from '@sluice/rate-limit';
import { REFUSED_ROUTE } from '../limit-config.ts';
import type { Principal } from './call.ts';
import type { Admission, Arrival, Door } from './mount.ts';
import { cacheTarget, decodeSegment, isCachePath, rawPath } from './target.ts';

/** Whoever asks whether we live must hear it, whatever else his address does. */
const UNLIMITED_TAG = 'operations';

/** Takes what a request costs, one unit, from every policy that is for it. Public routes have no key. */
export function createAdmission(options: {
  limiter: Limiter;
  clientAddress: ClientAddress;
}): NonNullable<Door['admit']> {
  const { limiter, clientAddress } = options;
  const factsOf = (arrival: Arrival, principal: Principal | undefined): RequestFacts => {
    const socketAddress = arrival.remoteAddress;
    const address = addressKey(
      clientAddress({ socketAddress, forwardedFor: arrival.header('x-forwarded-for') }),
    );
    if (principal === undefined) return { address, route: REFUSED_ROUTE };
    const { route } = arrival;
    const facts = { address, route: routeName(route), ...placeOf(route, arrival.target) };
    return route.access === 'public' ? facts : { ...facts, key: principal.id };
  };
  return (arrival, principal) =>
    arrival.route.tag === UNLIMITED_TAG ? undefined : admit(limiter, factsOf(arrival, principal));
}

async function admit(limiter: Limiter, facts: RequestFacts): Promise<Admission> {
  const { decision, headers, leave } = await enter(limiter, facts);
  return {
    headers: headers as Record<string, string>,
    refusal: decision.isAllowed ? undefined : refusalOf(decision),
    leave: decision.taken.some(({ lease }) => lease !== undefined) ? () => void leave() : undefined,
  };
}

/** `POST /api/v2/queues/{queue}/jobs`, what a policy's `match.route` is compared with. */
function routeName({ method, path }: RouteDeclaration): string {
  return `${method.toUpperCase()} ${path}`;
}

/** The cache service or the queue of a request. */
function placeOf({ path }: RouteDeclaration, target: string): { service?: string; queue?: string } {
  if (isCachePath(path)) return { service: cacheTarget(rawPath(target)).service };
  const at = path.split('/').indexOf('{queue}');
  const queue = at === -1 ? undefined : rawPath(target).split('/')[at];
  return queue === undefined ? {} : { queue: decodeSegment(queue) };
}
