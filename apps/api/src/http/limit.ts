/** This file owns the limits at the door: what is known of a request, and what they answer. */
import { createHash } from 'node:crypto';
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
import type { Exchange } from './exchange.ts';
import type { Admission, Door } from './serve.ts';
import { cacheTarget, decodeSegment, isCachePath, rawPath } from './target.ts';

/** Whoever asks whether we live must hear it, whatever else his address does. */
const UNLIMITED_TAG = 'operations';
/** A policy that refuses everybody can be taken back by whoever may change policies. */
const SYSTEM_TAG = 'system';
/** Peers whose address has been read before; beyond so many it is read anew. */
const MAX_KNOWN_PEERS = 1_000;

/** Takes what a request costs, one unit, from every policy that is for it. Public routes have no key. */
export function createAdmission(options: {
  limiter: Limiter;
  clientAddress: ClientAddress;
}): NonNullable<Door['admit']> {
  const { limiter, clientAddress } = options;
  const addressOf = addressReader(clientAddress);
  const places = new Map<RouteDeclaration, Place>();
  return (route, exchange, principal) => {
    if (route.tag === UNLIMITED_TAG || (route.tag === SYSTEM_TAG && isOperator(principal))) return undefined;
    const { target } = exchange;
    const address = addressOf(exchange);
    if (principal === undefined) return admit(limiter, { address, route: REFUSED_ROUTE });
    let place = places.get(route);
    if (!place) {
      place = placeOf(route);
      places.set(route, place);
    }
    const { name, service, queue } = place;
    const key = route.access === 'public' ? undefined : principal.id;
    return admit(limiter, {
      address,
      route: name,
      key,
      session: sessionOf(exchange),
      service: service?.(target),
      queue: queue?.(target),
    });
  };
}

/** The session that a request brings along, by a digest of its token: tokens are kept nowhere. */
function sessionOf(exchange: Exchange): string | undefined {
  const token = exchange.header('x-dreamfactory-session-token');
  return token === undefined ? undefined : createHash('sha256').update(token).digest('base64url');
}

function isOperator(principal: Principal | undefined): boolean {
  return principal !== undefined && !principal.quota && principal.grants.allows('system', 'write');
}

async function admit(limiter: Limiter, facts: RequestFacts): Promise<Admission> {
  const { decision, headers, leave } = await enter(limiter, facts);
  return {
    headers: headers as Record<string, string>,
    refusal: decision.isAllowed ? undefined : refusalOf(decision),
    leave: leave && (() => void leave()),
  };
}

/** Connections are kept alive: the same peers come again and again. */
function addressReader(clientAddress: ClientAddress): (exchange: Exchange) => string {
  const known = new Map<string, string>();
  return (exchange) => {
    const { remoteAddress = '' } = exchange;
    const forwardedFor = exchange.header('x-forwarded-for');
    const before = forwardedFor === undefined ? known.get(remoteAddress) : undefined;
    if (before !== undefined) return before;
    const address = addressKey(clientAddress({ socketAddress: remoteAddress, forwardedFor }));
    if (forwardedFor === undefined && known.size < MAX_KNOWN_PEERS) known.set(remoteAddress, address);
    return address;
  };
}

interface Place {
  /** `POST /api/v2/queues/{queue}/jobs`: what a policy's `match.route` is compared with. */
  name: string;
  /** Read the cache service, or the queue, of a request from its target. */
  service: ((target: string) => string) | undefined;
  queue: ((target: string) => string) | undefined;
}

function placeOf({ method, path }: RouteDeclaration): Place {
  const at = path.split('/').indexOf('{queue}');
  return {
    name: `${method.toUpperCase()} ${path}`,
    service: isCachePath(path) ? (target) => cacheTarget(rawPath(target)).service : undefined,
    queue: at === -1 ? undefined : (target) => decodeSegment(rawPath(target).split('/')[at] ?? ''),
  };
}
