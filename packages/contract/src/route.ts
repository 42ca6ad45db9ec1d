/**
 * This file owns the declaration of a route: one value from which validation, the OpenAPI document, the typed client
 * and the security tests all follow.
 */
import type { Area, Verb } from '@sluice/access/schemas';
import type { z } from 'zod';
import type { ErrorCode } from './errors.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/**
 * Who may call.
 * - `public`: everyone; for health and documentation only
 * - `key`: any valid key, whatever its scopes
 * - a scope: a key that holds `area:verb` for the resource. `resource` names path parameters, joined with `/`; without
 *   it the key needs the right for some resource, and the handler checks each one it touches
 */
export type Access = 'public' | 'key' | Scope;

export type Scope = { [A in Area]: { area: A; verb: Verb<A>; resource?: readonly string[] } }[Area];

export type Parameters = z.ZodObject<z.ZodRawShape>;

export interface ReplyDeclaration {
  description: string;
  /** The JSON body; without it the answer has another media type (`contentType`) or none. */
  schema?: z.ZodType;
  contentType?: string;
}

export interface BodyDeclaration<B extends z.ZodType = z.ZodType> {
  schema: B;
  /** Members carried as `JsonText`, at the top level or in each item of `resource` (or of a bare list). */
  carried?: readonly string[];
  /** May be left out altogether. Default false: no body is 400. */
  isOptional?: boolean;
  /** `text/*` bodies are accepted as a string value. Default false. */
  acceptsText?: boolean;
  /** Default: the server's bound for one value; `batch` for the larger one. */
  bound?: 'batch';
}

export interface RouteDeclaration {
  /** Operation id: the client's method, the handler's name, the metrics label. */
  id: string;
  method: Method;
  /** OpenAPI template, `/api/v2/queues/{queue}/jobs`. `{key}` of a cache service takes the rest of the path. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  access: Access;
  params?: Parameters;
  query?: Parameters;
  /** Request headers that it reads beside the key; for the document, handlers read them as they came. */
  headers?: Parameters;
  body?: BodyDeclaration;
  replies: Readonly<Record<number, ReplyDeclaration>>;
  /** Codes this route raises besides those that every route may (`DOOR_ERROR_CODES`). */
  errors?: readonly ErrorCode[];
  /** Answers late by design; exempt from the request deadline. Ends at once when Redis is away. */
  isLongPoll?: boolean;
}

/** Declares a route; the literal types are kept for the handler and the client. */
export function route<const R extends RouteDeclaration>(declaration: R): R {
  return declaration;
}

type Output<T> = T extends z.ZodType ? z.output<T> : Record<string, never>;

/** What a handler of this route is given, validated. */
export interface RouteInput<R extends RouteDeclaration> {
  params: Output<R['params']>;
  query: Output<R['query']>;
  body: R['body'] extends BodyDeclaration<infer B> ? z.output<B> : undefined;
}

/** What a caller of this route sends. */
export interface RouteRequest<R extends RouteDeclaration> {
  params: R['params'] extends z.ZodType ? z.input<R['params']> : undefined;
  query: R['query'] extends z.ZodType ? z.input<R['query']> : undefined;
  body: R['body'] extends BodyDeclaration<infer B> ? z.input<B> : undefined;
}

type Success = 200 | 201 | 202 | 204;

/** The JSON bodies of this route's successful answers. */
export type RouteReply<R extends RouteDeclaration> = {
  [S in keyof R['replies'] & Success]: R['replies'][S] extends { schema: infer T extends z.ZodType }
    ? z.output<T>
    : undefined;
}[keyof R['replies'] & Success];
