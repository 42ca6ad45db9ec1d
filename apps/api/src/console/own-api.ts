/**
 * This file owns the console's way to what the API does: the same routes with the same scopes, checks, handlers and trail,
 * without HTTP between. So nobody can do in the console what he could not do with a key of the same scopes.
 */
import { type RouteDeclaration, type RouteReply, type RouteRequest, routes } from '@sluice/contract';
import { authorise } from '../http/authorisation.ts';
import type { Call, Handler, Handlers } from '../http/call.ts';
import { InputCheck } from '../http/input-check.ts';
import type { Visit } from './page.ts';

type Routes = typeof routes;

/** What a page sends; parts that are all optional may be left out. */
export type OwnRequest<R extends RouteDeclaration> = Partial<RouteRequest<R>> & {
  headers?: Readonly<Record<string, string>>;
};

interface AnyRequest {
  params?: unknown;
  query?: unknown;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
}

export class OwnApi {
  readonly #handlers: Handlers<Routes>;

  constructor(handlers: Handlers<Routes>) {
    this.#handlers = handlers;
  }

  /** What the route answers. Throws what it refuses with, as `forbidden` and `input_invalid`. */
  async ask<Id extends keyof Routes>(
    id: Id,
    visit: Pick<Visit, 'operator' | 'requestId'>,
    request: OwnRequest<Routes[Id]> = {},
  ): Promise<RouteReply<Routes[Id]>> {
    const declaration: RouteDeclaration = routes[id];
    const handler = this.#handlers[id] as Handler<RouteDeclaration>;
    const { body } = await handler(callOf(declaration, visit, request as AnyRequest));
    if (typeof body !== 'string') throw new TypeError(`${id} answers nothing that a page can show`);
    return JSON.parse(body) as RouteReply<Routes[Id]>;
  }
}

function callOf(
  declaration: RouteDeclaration,
  { operator, requestId }: Pick<Visit, 'operator' | 'requestId'>,
  request: AnyRequest,
): Call {
  const rawParams = (request.params ?? {}) as Readonly<Record<string, string>>;
  authorise(declaration, operator, rawParams);
  const input = new InputCheck();
  const params = input.check(declaration.params, rawParams, 'path');
  const query = input.check(declaration.query, request.query ?? {}, 'query');
  const body =
    request.body === undefined ? undefined : input.check(declaration.body?.schema, request.body, 'body');
  input.requireValid();
  const { headers = {} } = request;
  return {
    params: params as Call['params'],
    query: query as Call['query'],
    body: body as Call['body'],
    bodyText: request.body === undefined ? undefined : JSON.stringify(request.body),
    principal: operator,
    requestId,
    method: declaration.method.toUpperCase(),
    target: declaration.path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(rawParams[name] ?? ''),
    ),
    header: (name) => headers[name],
    signal: NEVER,
  };
}

/** A page's deadline ends what it asked for. */
const NEVER = new AbortController().signal;
