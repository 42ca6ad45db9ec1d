/**
 * This file owns the four doors behind one address: everything with a name of ours, the keys of cache services, whose
 * names are the user's, what lies beside those keys, and pages. They are four routers because a path that two patterns
 * match would take Hono's slow way, and take every other path with it.
 */
import { type RouteDeclaration, routes } from '@sluice/contract';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Handlers } from './http/call.ts';
import {
  type App,
  type Binding,
  type Door,
  methodsOf,
  mount,
  serveFailure,
  serveUnknown,
} from './http/mount.ts';
import { isCachePath, isOperationPath, rawPath } from './http/target.ts';

export type Fetch = (request: Request, binding: Binding) => Response | Promise<Response>;

export interface Pages {
  /** Pages with a life of their own (the board, the API docs); they answer for everything below `path`. */
  path: string;
  app: Hono;
}

/** The API as a fetch function. Throws when a route lacks a handler or an access rule. */
export function createApp(
  handlers: Handlers<typeof routes>,
  door: Door,
  pages: readonly Pages[] = [],
): Fetch {
  const all: readonly RouteDeclaration[] = Object.values(routes);
  const named: App = new Hono();
  const keys: App = new Hono();
  const operations: App = new Hono();
  const paged: App = new Hono();
  const isPage = (path: string) =>
    pages.some(({ path: root }) => path === root || path.startsWith(`${root}/`));
  const doorOf = (path: string) => {
    if (!isCachePath(path)) return isPage(path) ? paged : named;
    return isOperationPath(path) ? operations : keys;
  };
  for (const declaration of all) {
    const handler = handlers[declaration.id as keyof typeof handlers];
    if (!handler) throw new TypeError(`route ${declaration.id} has no handler`);
    mount(doorOf(declaration.path), declaration, handler as never, door);
  }
  for (const { path, app } of pages) paged.route(path, app);
  for (const app of [named, keys, operations, paged]) {
    const here = all.filter(({ path }) => doorOf(path) === app);
    app.notFound((c) => serveUnknown(c, methodsOf(c.req.path, here), door));
    app.onError((error, c) =>
      error instanceof HTTPException ? error.getResponse() : serveFailure(c, error, door),
    );
  }

  return (request, binding) => doorOf(rawPath(binding.incoming?.url ?? request.url)).fetch(request, binding);
}
