/**
 * This file owns the declaration of an example: one working request of a route and its answer, from which the samples in
 * every language, the examples of the OpenAPI document and their tests follow.
 */
import type { RouteDeclaration, RouteReply, RouteRequest } from './route.ts';

/**
 * A string may hold `$NAME` of a variable (`variables.ts`): what only a running server can tell, such as an id. The samples
 * read it from the environment.
 */
export interface Example<R extends RouteDeclaration> {
  params?: RouteRequest<R>['params'];
  query?: RouteRequest<R>['query'];
  headers?: Readonly<Record<string, string>>;
  body?: RouteRequest<R>['body'];
  /** Default: the lowest success that the route declares. */
  status?: number;
  /** The answer: its JSON; for a route that answers text, the text. Absent when the answer has no body. */
  reply?: RouteReply<R> | (undefined extends RouteReply<R> ? string : never);
}

/** Examples of an area in the order of a story: each works after those above it, and what deletes, in
 * reverse, when all else is done. */
export type Examples<Routes extends Readonly<Record<string, RouteDeclaration>>> = {
  readonly [Id in keyof Routes]?: Example<Routes[Id]>;
};

/** An example of any route. */
export interface AnyExample {
  params?: Readonly<Record<string, unknown>> | undefined;
  query?: Readonly<Record<string, unknown>> | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: unknown;
  status?: number | undefined;
  reply?: unknown;
}

/** The example as a request is made of it. */
export interface Sample {
  declaration: RouteDeclaration;
  example: AnyExample;
}

/** How a variable comes about, for a reader and for a test. */
export interface Variable {
  /** What stands in its place in the document. */
  sample: string;
  /** The calls that lead to it, in order; each the example of a route, with what differs. */
  calls: readonly { route: string; example?: AnyExample }[];
  /** Where in the last answer it stands: `['resource', 0, 'lease']`. */
  member: readonly (string | number)[];
}

/** Its `$NAME`s. */
const VARIABLE = /\$([A-Z][A-Z_]*)/g;

/** The names of the variables in a value, in order, each once. */
export function variablesOf(value: unknown): string[] {
  const found = [...JSON.stringify(value ?? null).matchAll(VARIABLE)].map(([, name]) => name as string);
  return [...new Set(found)];
}

/** The value with each variable replaced by what `told` answers for its name. */
export function withValues<T>(value: T, told: (name: string) => string): T {
  if (typeof value === 'string')
    return value.replace(VARIABLE, (_, name: string) => told(name)) as unknown as T;
  if (Array.isArray(value)) return value.map((each) => withValues(each, told)) as unknown as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, withValues(member, told)]);
  return Object.fromEntries(members) as T;
}

/** The status that this example is answered with. */
export function statusOf({ declaration, example }: Sample): number {
  return example.status ?? Math.min(...Object.keys(declaration.replies).map(Number));
}
