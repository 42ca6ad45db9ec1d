/** This file owns the typed client: one method a route, made from the declarations. Runs wherever `fetch` does. */
import type { ErrorEnvelope } from './envelope.ts';
import type { RouteDeclaration, RouteReply, RouteRequest } from './route.ts';

export interface ClientOptions {
  /** `http://localhost:8080`, without the API's path. */
  baseUrl: string;
  apiKey: string;
  /** Bounds each call; default 35 s, above the longest wait the API takes. */
  timeoutMs?: number;
  /** Default the global `fetch`. */
  fetch?: typeof fetch;
  /** How bodies become text and back; for callers whose JSON `JSON.parse` would rewrite. Default `JSON`. */
  json?: Pick<JSON, 'parse' | 'stringify'>;
}

/** Parts of a request that this route has; those that are all optional may be left out. */
type Request<R extends RouteDeclaration> = Partial<Omit<RouteRequest<R>, 'params'>> & {
  params?: RouteRequest<R>['params'];
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

export type Client<Routes extends Readonly<Record<string, RouteDeclaration>>> = {
  [Id in keyof Routes]: (request?: Request<Routes[Id]>) => Promise<RouteReply<Routes[Id]>>;
};

const DEFAULT_TIMEOUT_MS = 35_000;

/** Thrown for every answer that is not a success; `reason` is the machine code, `retryAfterSeconds` the server's advice. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly context: ErrorEnvelope['error']['context'];
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, envelope: ErrorEnvelope | undefined, retryAfter: string | null) {
    super(envelope?.error.message ?? `the server answered ${status} without an error body`);
    this.name = 'ApiError';
    this.status = status;
    this.context = envelope?.error.context ?? null;
    this.reason = this.context?.reason ?? 'unknown';
    this.retryAfterSeconds = retryAfter === null ? undefined : Number(retryAfter);
  }
}

/**
 * A client of these routes.
 *
 * ```ts
 * const sluice = createClient(routes, { baseUrl: 'http://localhost:8080', apiKey });
 * const { id } = await sluice.enqueueJobs({ params: { queue: 'mail' }, body: { name: 'welcome', data: { to: 'ada' } } });
 * ```
 */
export function createClient<const Routes extends Readonly<Record<string, RouteDeclaration>>>(
  routes: Routes,
  options: ClientOptions,
): Client<Routes> {
  const methods = Object.entries(routes).map(([id, declaration]) => [
    id,
    (request: LooseRequest = {}) => send(declaration, request, options),
  ]);
  return Object.fromEntries(methods) as Client<Routes>;
}

interface LooseRequest {
  params?: Record<string, unknown> | undefined;
  query?: Record<string, unknown> | undefined;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

async function send(
  declaration: RouteDeclaration,
  request: LooseRequest,
  options: ClientOptions,
): Promise<unknown> {
  const { baseUrl, apiKey, timeoutMs = DEFAULT_TIMEOUT_MS, fetch: send = fetch, json = JSON } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await send(
    `${baseUrl.replace(/\/$/, '')}${pathOf(declaration, request.params ?? {})}${queryOf(request.query ?? {})}`,
    {
      method: declaration.method.toUpperCase(),
      headers: {
        'X-DreamFactory-API-Key': apiKey,
        ...(request.body !== undefined && { 'Content-Type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body !== undefined && { body: json.stringify(request.body) }),
      signal: request.signal ? AbortSignal.any([request.signal, timeout]) : timeout,
    },
  );
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  const body: unknown = isJson ? json.parse(await response.text()) : undefined;
  if (!response.ok) {
    throw new ApiError(
      response.status,
      body as ErrorEnvelope | undefined,
      response.headers.get('retry-after'),
    );
  }
  return body;
}

function pathOf({ path, id }: RouteDeclaration, params: Record<string, unknown>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new TypeError(`${id} needs the path parameter '${name}'`);
    return encodeURIComponent(String(value));
  });
}

function queryOf(query: Record<string, unknown>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined) search.append(name, String(each));
  }
  return search.size === 0 ? '' : `?${search}`;
}
