/** This file owns who calls: the credential of a request to a principal. */
import type { KeyRing } from '@sluice/access';
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { FirstKey } from '../first-key.ts';
import type { Principal } from './call.ts';
import type { Exchange } from './exchange.ts';
import { rawQuery } from './target.ts';

const MISSING =
  'No session token (JWT) or API Key detected in request. Please send in X-DreamFactory-Session-Token and/or X-DreamFactory-API-Key request header.';

/**
 * Reads the key from `X-DreamFactory-API-Key`, then `Authorization: Bearer`, then, when allowed, `?api_key=`.
 *
 * Throws `unauthenticated` for a missing or unknown key; `redis_unavailable` until the keys have been read
 * and the first one made, since nobody can be told from a stranger before.
 */
export function createAuthentication(options: {
  keyRing: KeyRing;
  firstKey: Pick<FirstKey, 'isSettled'>;
  allowsQueryCredentials: boolean;
}) {
  const { keyRing, firstKey, allowsQueryCredentials } = options;
  return (exchange: Exchange): Principal => {
    const presented =
      exchange.header('x-dreamfactory-api-key') ??
      bearer(exchange.header('authorization')) ??
      (allowsQueryCredentials ? fromQuery(exchange.target) : undefined);
    if (presented === undefined || presented === '')
      throw new DomainError<ErrorCode>('unauthenticated', MISSING);
    const principal = keyRing.authenticate(presented);
    if (principal) return principal;
    if (!keyRing.isLoaded || !firstKey.isSettled) {
      throw new DomainError<ErrorCode>(
        'redis_unavailable',
        'The keys are not read from Redis yet. Try again.',
        {
          details: { outcome: 'not_attempted' },
        },
      );
    }
    throw new DomainError<ErrorCode>('unauthenticated', 'This API key is unknown, revoked or expired.');
  };
}

/** The token of `Authorization: Bearer`. */
export function bearer(authorization: string | undefined): string | undefined {
  const match = /^Bearer +(\S+) *$/i.exec(authorization ?? '');
  return match?.[1];
}

function fromQuery(target: string): string | undefined {
  const query = rawQuery(target);
  return query.includes('api_key=') ? (new URLSearchParams(query).get('api_key') ?? undefined) : undefined;
}
