/** This file owns what a handler sees of one request, and what a handler is. */
import type { KeyPrincipal } from '@sluice/access';
import type { RouteDeclaration, RouteInput } from '@sluice/contract';
import type { Reply } from './reply.ts';

/** Who calls: over HTTP a key, from the console an account as well. */
export type Principal = Omit<KeyPrincipal, 'kind'> & { readonly kind: KeyPrincipal['kind'] | 'account' };

/** What may wait of this caller's in a queue; `undefined`: his key has no such quota. */
export function backlogOf({ id, quota }: Principal): { owner: string; max: number } | undefined {
  return quota?.backlog === undefined ? undefined : { owner: id, max: quota.backlog };
}

export interface Call<R extends RouteDeclaration = RouteDeclaration> extends RouteInput<R> {
  principal: Principal;
  requestId: string;
  method: string;
  /** Path and query as they came, undecoded. */
  target: string;
  /** The body as it came; `undefined` when there is none. */
  bodyText: string | undefined;
  /** A request header by its lower-case name. */
  header(name: string): string | undefined;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export type Handler<R extends RouteDeclaration> = (call: Call<R>) => Promise<Reply> | Reply;

/** One handler for each route: a missing or misspelt one does not compile. */
export type Handlers<Routes extends Readonly<Record<string, RouteDeclaration>>> = {
  [Id in keyof Routes]: Handler<Routes[Id]>;
};
