/** This file owns whether a caller may use a route. */
import type { ErrorCode, RouteDeclaration } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { Principal } from './call.ts';
import type { RawParams } from './router.ts';

/** Throws `forbidden` when the key lacks the route's scope. */
export function authorise({ access }: RouteDeclaration, { grants }: Principal, params: RawParams): void {
  if (typeof access === 'string') return;
  const resource = access.resource?.map((name) => params[name] ?? '').join('/');
  const isAllowed =
    resource === undefined
      ? grants.allowsSome(access.area, access.verb)
      : grants.allows(access.area, access.verb, resource);
  if (isAllowed) return;
  throw new DomainError<ErrorCode>(
    'forbidden',
    `This key lacks the scope ${access.area}:${access.verb}${resource ? ` for '${resource}'` : ''}.`,
    { details: { scope: `${access.area}:${access.verb}` } },
  );
}
