/**
 * This file owns the way of a request: id, key, limits, scope, body, validation, handler, answer, access log. It runs as one Hono handler a route: a chain of middleware, or a header set after `next()`,
 * costs more than the whole rest (110 µs a request, house.md).
 */
import { Grants } from '@sluice/access';
import type { ErrorCode, RouteDeclaration } from '@sluice/contract';
import { DomainError, within } from '@sluice/runtime';
import type { Context, Hono } from 'hono';
import type { z } from 'zod';
import { type Body, readBody } from './body.ts';
import type { Call, Handler, Principal } from './call.ts';
import { failure } from './failure.ts';
import { type Reply, respond } from './reply.ts';
import { requestIdOf } from './request-id.ts';
import { rawQuery } from './target.ts';

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
  authenticate(header: (name: string) => string | undefined, target: string): Principal;
  /** The limits; `principal` is `undefined` when the key was refused. `undefined`: this request is not limited. */
  admit?(arrival: Arrival, principal: Principal | undefined): Promise<Admission> | undefined;
  maxValueBytes: number;
  maxBatchBytes: number;
  /** Told once for each answer. `error` is what nobody expected, if that was it. */
  observe(observation: Observation): void;
}

/** What is known of a request before anything of it has been checked. */
export interface Arrival {
  route: RouteDeclaration;
  header(name: string): string | undefined;
  /** The peer of the socket; `undefined` in a test without one. */
  remoteAddress: string | undefined;
  target: string;
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

export interface Binding {
  incoming?: {
    url?: string;
    headers: Record<string, string | string[] | undefined>;
    socket?: { remoteAddress?: string };
  };
  outgoing?: { once(event: 'close', listener: () => void): unknown };
}

export type App = Hono<{ Bindings: Binding }>;
type HonoContext = Context<{ Bindings: Binding }>;

/** 2 s is promised (contract.md §1); the rest is for the way. */
export const REQUEST_DEADLINE_MS = 1_800;

const NOBODY: Principal = { kind: 'key', id: 'nobody', label: 'nobody', grants: new Grants([]) };

/** Registers one route. Throws `TypeError` when it has no access rule: such a route must not start. */
export function mount<R extends RouteDeclaration>(
  app: App,
  declaration: R,
  handler: Handler<R>,
  door: Door,
): void {
  if (declaration.access === undefined) throw new TypeError(`route ${declaration.id} states no access`);
  // A key may hold any character, line breaks included: the handler says what is wrong with it.
  const path = declaration.path.replace(/\{key\}$/, ':key{[^]+}').replace(/\{(\w+)\}/g, ':$1');
  // The published page writes a service's root both with and without a slash.
  const paths = path.endsWith('/:service') ? [path, `${path}/`] : [path];
  app.on(declaration.method.toUpperCase(), paths, (c) =>
    serve(c, declaration, handler as Handler<RouteDeclaration>, door),
  );
}

/** Answers what no route serves, in the one envelope: 405 with `Allow` when the path is known, 404 else. */
export function serveUnknown(c: HonoContext, allowed: readonly string[], door: Door): Response {
  const { method } = c.req;
  if (allowed.length === 0) {
    return serveFailure(
      c,
      new DomainError<ErrorCode>(
        'route_unknown',
        'There is nothing at this address; /docs lists what there is.',
      ),
      door,
    );
  }
  const allow = allowed.join(', ');
  const message = `${method} is not served here; ${allow} ${allowed.length === 1 ? 'is' : 'are'}.`;
  return serveFailure(
    c,
    new DomainError<ErrorCode>('method_not_allowed', message, { details: { allow } }),
    door,
  );
}

/** Answers for what is thrown outside the routes, by a page or by Hono itself. */
export function serveFailure(c: HonoContext, error: unknown, door: Door): Response {
  const requestId = requestIdOf(header(c, 'x-request-id'));
  const { reply, reason, isOurs } = failure(error, requestId);
  door.observe({
    requestId,
    route: 'unknown',
    method: c.req.method,
    status: reply.status,
    durationMs: 0,
    principal: undefined,
    reason,
    error: isOurs ? undefined : error,
  });
  return respond(reply, requestId, c.req.method);
}

async function serve(
  c: HonoContext,
  declaration: RouteDeclaration,
  handler: Handler<RouteDeclaration>,
  door: Door,
): Promise<Response> {
  const startedAt = performance.now();
  const requestId = requestIdOf(header(c, 'x-request-id'));
  let principal: Principal | undefined;
  let admission: Admission | undefined;
  let reason: ErrorCode | undefined;
  let unexpected: unknown;
  let reply: Reply;
  try {
    const arrival: Arrival = {
      route: declaration,
      header: (name) => header(c, name),
      remoteAddress: c.env?.incoming?.socket?.remoteAddress,
      target: c.env?.incoming?.url ?? c.req.url,
    };
    let stranger: unknown;
    try {
      principal =
        declaration.access === 'public' ? NOBODY : door.authenticate(arrival.header, arrival.target);
    } catch (error) {
      stranger = error;
    }
    // One question for all limits. Keys are told from memory, so that asking after it costs nobody a round trip.
    admission = door.admit && (await door.admit(arrival, principal));
    if (admission?.refusal) throw admission.refusal;
    if (principal === undefined) throw stranger;
    authorise(declaration, principal, c);
    const call = await validated(c, declaration, arrival, principal, requestId, door);
    const work = handler(call);
    if (!(work instanceof Promise)) reply = work;
    else reply = await (declaration.isLongPoll ? work : within(work, REQUEST_DEADLINE_MS));
  } catch (error) {
    const failed = failure(error, requestId);
    reply = failed.reply;
    reason = failed.reason;
    if (!failed.isOurs) unexpected = error;
  }
  if (admission) leaveAfter(reply, admission, c);
  door.observe({
    requestId,
    route: declaration.id,
    method: c.req.method,
    status: reply.status,
    durationMs: performance.now() - startedAt,
    principal: principal?.id,
    reason,
    error: unexpected,
  });
  return respond(reply, requestId, c.req.method);
}

/** Throws `forbidden` when the key lacks the route's scope. */
function authorise({ access }: RouteDeclaration, { grants }: Principal, c: HonoContext): void {
  if (typeof access === 'string') return;
  const resource = access.resource?.map((name) => c.req.param(name) ?? '').join('/');
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

/** An answer about a limit tells of that one. A stream has gone out when its connection says so. */
function leaveAfter(reply: Reply, { headers, leave }: Admission, c: HonoContext): void {
  if (reply.headers['RateLimit-Policy'] === undefined) Object.assign(reply.headers, headers);
  if (!leave) return;
  if (reply.body instanceof ReadableStream && c.env?.outgoing) c.env.outgoing.once('close', leave);
  else leave();
}

async function validated(
  c: HonoContext,
  declaration: RouteDeclaration,
  arrival: Arrival,
  principal: Principal,
  requestId: string,
  door: Door,
): Promise<Call> {
  const issues: { path: string; message: string }[] = [];
  const check = (schema: z.ZodType | undefined, value: unknown, place: string): unknown => {
    if (!schema) return {};
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const { path, message } of result.error.issues)
      issues.push({ path: [place, ...path].join('.'), message });
    return undefined;
  };
  const params = check(declaration.params, declaration.params && c.req.param(), 'path');
  const query = check(declaration.query, declaration.query && queryOf(arrival.target), 'query');
  let body: Body | undefined;
  let checkedBody: unknown;
  if (declaration.body) {
    const maxBytes = declaration.body.bound === 'batch' ? door.maxBatchBytes : door.maxValueBytes;
    body = await readBody(c.req.raw, declaration.body, maxBytes);
    if (body) checkedBody = check(declaration.body.schema, body.value, 'body');
  }
  if (issues.length > 0) {
    const [first] = issues;
    throw new DomainError<ErrorCode>('input_invalid', `${first?.path}: ${first?.message}`, {
      details: { issues: issues.slice(0, 50) },
    });
  }
  return new ValidatedCall(c, arrival, principal, requestId, {
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
  readonly #context: HonoContext;

  constructor(
    context: HonoContext,
    arrival: Arrival,
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
    this.method = context.req.method;
    this.target = arrival.target;
    this.#context = context;
  }

  header(name: string): string | undefined {
    return header(this.#context, name);
  }

  /** Made on demand: it costs a real web Request. */
  get signal(): AbortSignal {
    return this.#context.req.raw.signal;
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

/** Node's own parsed headers: the web-standard object is made only where somebody asks for it. */
function header(c: HonoContext, name: string): string | undefined {
  const incoming = c.env?.incoming;
  if (!incoming) return c.req.raw.headers.get(name) ?? undefined;
  const value = incoming.headers[name];
  return typeof value === 'string' ? value : value?.[0];
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
