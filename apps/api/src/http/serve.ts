/** This file owns the way of a request: id, key, limits, scope, body, validation, handler, answer, access log. One function, no chain of middleware. */
import { Grants } from '@sluice/access';
import type { ErrorCode, RouteDeclaration } from '@sluice/contract';
import { DomainError, within } from '@sluice/runtime';
import type { RequestSpan } from '@sluice/tracing';
import { authorise } from './authorisation.ts';
import { type Body, type BodyBound, readBody } from './body.ts';
import type { Call, Handler, Principal } from './call.ts';
import type { Exchange } from './exchange.ts';
import { failure } from './failure.ts';
import { InputCheck } from './input-check.ts';
import { OVERLOADED } from './overload.ts';
import { type Reply, withCommonHeaders } from './reply.ts';
import { requestIdOf } from './request-id.ts';
import type { RawParams } from './router.ts';
import { decodeSegment, rawQuery } from './target.ts';

/** What the limits say of a request. */
export interface Admission {
  /** For the reply, whatever it is. */
  headers: Record<string, string>;
  refusal: DomainError | undefined;
  /** Called once when the answer has gone out; `undefined` when nobody needs to know. */
  leave: (() => void) | undefined;
}

export interface Door {
  /** Who calls; throws `unauthenticated`. */
  authenticate(exchange: Exchange): Principal;
  /** The limits; `principal` is `undefined` when the key was refused. `undefined`: this request is not limited. */
  admit?(
    route: RouteDeclaration,
    exchange: Exchange,
    principal: Principal | undefined,
  ): Promise<Admission> | undefined;
  maxValueBytes: number;
  maxBatchBytes: number;
  /** Runs a request within its span; `undefined`: nobody traces. */
  trace?: ((span: RequestSpan, work: () => Promise<void>) => Promise<void>) | undefined;
  /** Told once for each answer. `error` is what nobody expected, if that was it. */
  observe(observation: Observation): void;
}

export interface Observation {
  requestId: string;
  route: string;
  method: string;
  status: number;
  durationMs: number;
  principal: string | undefined;
  reason: ErrorCode | undefined;
  error: unknown;
}

/** 2 s is promised (contract.md §1); the rest is for the way. */
export const REQUEST_DEADLINE_MS = 1_800;

const NOBODY: Principal = { kind: 'key', id: 'nobody', label: 'nobody', grants: new Grants([]) };

/** A route and who answers it. */
export interface Endpoint {
  declaration: RouteDeclaration;
  handler: Handler<RouteDeclaration>;
}

/** Throws `TypeError` when the route has no access rule: such a route must not start. */
export function endpointOf<R extends RouteDeclaration>(declaration: R, handler: Handler<R>): Endpoint {
  if (declaration.access === undefined) throw new TypeError(`route ${declaration.id} states no access`);
  return { declaration, handler: handler as Handler<RouteDeclaration> };
}

/** What no route serves: 405 with `Allow` when the path is known with other methods, 404 else. */
export function unserved(method: string, allowed: readonly string[]): DomainError<ErrorCode> {
  if (allowed.length === 0) {
    return new DomainError('route_unknown', 'There is nothing at this address; /docs lists what there is.');
  }
  const allow = allowed.join(', ');
  const message = `${method} is not served here; ${allow} ${allowed.length === 1 ? 'is' : 'are'}.`;
  return new DomainError('method_not_allowed', message, { details: { allow } });
}

/** The answer to what is thrown outside the routes, told to the log. */
export function failedReply(
  request: { method: string; header(name: string): string | undefined },
  error: unknown,
  door: Door,
): Reply {
  const requestId = requestIdOf(request.header('x-request-id'));
  const { reply, reason, isOurs } = failure(error, requestId);
  door.observe({
    requestId,
    route: 'unknown',
    method: request.method,
    status: reply.status,
    durationMs: 0,
    principal: undefined,
    reason,
    error: isOurs ? undefined : error,
  });
  return withCommonHeaders(reply, requestId);
}

/** Answers one request. Rejects when the answer cannot be written. */
export async function serve(
  exchange: Exchange,
  { declaration, handler }: Endpoint,
  rawParams: RawParams,
  door: Door,
): Promise<void> {
  const { cameAt } = exchange;
  const leftMs = REQUEST_DEADLINE_MS - (performance.now() - cameAt);
  const requestId = requestIdOf(exchange.header('x-request-id'));
  let principal: Principal | undefined;
  let admission: Admission | undefined;
  let reason: ErrorCode | undefined;
  let unexpected: unknown;
  let reply: Reply;
  try {
    // Whoever has waited that long hears no answer in time, so that none is worked for.
    if (leftMs <= 0) throw OVERLOADED;
    let stranger: unknown;
    try {
      principal = declaration.access === 'public' ? NOBODY : door.authenticate(exchange);
    } catch (error) {
      stranger = error;
    }
    // One question for all limits. Keys are told from memory, so that asking after it costs nobody a round trip.
    admission = door.admit && (await door.admit(declaration, exchange, principal));
    if (admission?.refusal) throw admission.refusal;
    if (principal === undefined) throw stranger;
    const params = decoded(rawParams);
    authorise(declaration, principal, params);
    const call = await validated(exchange, declaration, params, principal, requestId, door);
    const work = handler(call);
    if (!(work instanceof Promise)) reply = work;
    else reply = await (declaration.isLongPoll ? work : within(work, leftMs));
  } catch (error) {
    const failed = failure(error, requestId);
    reply = failed.reply;
    reason = failed.reason;
    if (!failed.isOurs) unexpected = error;
  }
  if (admission) leaveAfter(reply, admission, exchange);
  door.observe({
    requestId,
    route: declaration.id,
    method: exchange.method,
    status: reply.status,
    durationMs: performance.now() - cameAt,
    principal: principal?.id,
    reason,
    error: unexpected,
  });
  exchange.answer(withCommonHeaders(reply, requestId));
}

/** Throws `input_invalid` when one is not percent-encoded UTF-8. */
function decoded(rawParams: RawParams): RawParams {
  let params = rawParams;
  for (const name in rawParams) {
    const raw = rawParams[name] as string;
    if (raw.includes('%')) params = { ...params, [name]: decodeSegment(raw) };
  }
  return params;
}

/** An answer about a limit tells of that one. A stream has gone out when its connection says so. */
function leaveAfter(reply: Reply, { headers, leave }: Admission, exchange: Exchange): void {
  if (reply.headers['RateLimit-Policy'] === undefined) Object.assign(reply.headers, headers);
  if (!leave) return;
  if (reply.body instanceof ReadableStream) exchange.whenClosed(leave);
  else leave();
}

async function validated(
  exchange: Exchange,
  declaration: RouteDeclaration,
  rawParams: RawParams,
  principal: Principal,
  requestId: string,
  door: Door,
): Promise<Call> {
  const input = new InputCheck();
  const params = input.check(declaration.params, rawParams, 'path');
  const query = input.check(declaration.query, declaration.query && queryOf(exchange.target), 'query');
  let body: Body | undefined;
  let checkedBody: unknown;
  if (declaration.body) {
    const bytes = declaration.body.bound === 'batch' ? door.maxBatchBytes : door.maxValueBytes;
    const own = principal.quota?.payloadBytes;
    const bound: BodyBound =
      own !== undefined && own < bytes
        ? { bytes: own, code: 'quota_payload_exceeded' }
        : { bytes, code: 'body_too_large' };
    body = await readBody(exchange, declaration.body, bound);
    if (body) checkedBody = input.check(declaration.body.schema, body.value, 'body');
  }
  input.requireValid();
  return new ValidatedCall(exchange, principal, requestId, {
    params: params as Call['params'],
    query: query as Call['query'],
    body: checkedBody as Call['body'],
    bodyText: body?.text,
  });
}

/** A class, not a literal with a getter: V8 builds each of those anew, at 8 µs a request with its garbage. */
class ValidatedCall implements Call {
  readonly params: Call['params'];
  readonly query: Call['query'];
  readonly body: Call['body'];
  readonly bodyText: string | undefined;
  readonly principal: Principal;
  readonly requestId: string;
  readonly method: string;
  readonly target: string;
  readonly #exchange: Exchange;

  constructor(
    exchange: Exchange,
    principal: Principal,
    requestId: string,
    input: Pick<Call, 'params' | 'query' | 'body' | 'bodyText'>,
  ) {
    this.params = input.params;
    this.query = input.query;
    this.body = input.body;
    this.bodyText = input.bodyText;
    this.principal = principal;
    this.requestId = requestId;
    this.method = exchange.method;
    this.target = exchange.target;
    this.#exchange = exchange;
  }

  header(name: string): string | undefined {
    return this.#exchange.header(name);
  }

  get signal(): AbortSignal {
    return this.#exchange.signal;
  }
}

/** A repeated name becomes a list. */
function queryOf(target: string): Record<string, string | string[]> {
  const text = rawQuery(target);
  const query: Record<string, string | string[]> = {};
  if (text === '') return query;
  for (const [name, value] of new URLSearchParams(text)) {
    if (name === '__proto__') continue;
    const before = query[name];
    query[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return query;
}

/** Methods that serve this path, for `Allow`. */
export function methodsOf(path: string, routes: readonly RouteDeclaration[]): string[] {
  const methods = routes
    .filter(({ path: template }) => templatePattern(template).test(path))
    .map(({ method }) => method.toUpperCase());
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))];
}

function templatePattern(template: string): RegExp {
  const pattern = template
    .replace(/[.]/g, '\\.')
    .replace(/\{service\}$/, '[^/]+/?')
    .replace(/\{key\}$/, '[^]+')
    .replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${pattern}$`);
}
