/**
 * This file owns the four doors behind one address: everything with a name of ours, the keys of cache services, whose
 * names are the user's, what lies beside those keys, and pages. The first three have a router each, because no router
 * of ours may hold two patterns for the same path.
 */
import { type ErrorCode, type RouteDeclaration, routes } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { Handlers } from './http/call.ts';
import { Exchange } from './http/exchange.ts';
import { Router } from './http/router.ts';
import {
  type Door,
  type Endpoint,
  endpointOf,
  failedReply,
  methodsOf,
  serve,
  unserved,
} from './http/serve.ts';
import { isCachePath, isOperationPath, rawPath } from './http/target.ts';
import type { Fallback, Listener, Pages } from './pages.ts';

/** Characters of a host and its port (RFC 3986 §3.2.2). */
const HOST = /^[\w.~!$&'()*+,;=%:[\]-]*$/;

/** The API as a listener of Node's server. Throws when a route lacks a handler or an access rule. */
export function createApp(
  handlers: Handlers<typeof routes>,
  door: Door,
  pages: readonly Pages[] = [],
): Listener {
  const all: readonly RouteDeclaration[] = Object.values(routes);
  const named = new Router<Endpoint>();
  const keys = new Router<Endpoint>();
  const operations = new Router<Endpoint>();
  const doorOf = (path: string) => {
    if (!isCachePath(path)) return named;
    return isOperationPath(path) ? operations : keys;
  };
  for (const declaration of all) {
    const handler = handlers[declaration.id as keyof typeof handlers];
    if (!handler) throw new TypeError(`route ${declaration.id} has no handler`);
    const { method, path } = declaration;
    doorOf(path).add(method, path, endpointOf(declaration, handler as never));
  }
  const refuse = (exchange: Exchange, error: DomainError<ErrorCode>) =>
    exchange.answer(failedReply(exchange, error, door));

  return (incoming, outgoing) => {
    const exchange = new Exchange(incoming, outgoing);
    const path = rawPath(exchange.target);
    const page = pages.find(({ path: root }) => path === root || path.startsWith(`${root}/`));
    if (!HOST.test(exchange.header('host') ?? '')) {
      refuse(exchange, new DomainError('input_invalid', 'The Host header is malformed.'));
      return;
    }
    if (page) {
      page.listen(incoming, outgoing);
      return;
    }
    const router = doorOf(path);
    const match = router.find(exchange.method, path);
    if (!match) {
      const here = all.filter((declaration) => doorOf(declaration.path) === router);
      refuse(exchange, unserved(exchange.method, methodsOf(path, here)));
      return;
    }
    serve(exchange, match.found, match.params, door).catch((error: unknown) => {
      failedReply(exchange, error, door);
      exchange.abandon();
    });
  };
}

/** What pages do not answer themselves, in the one envelope. */
export function pageFallback(door: Door): Fallback {
  return (request, error) => {
    const { method, headers } = request;
    const {
      status,
      body,
      headers: replyHeaders,
    } = failedReply(
      { method, header: (name) => headers.get(name) ?? undefined },
      error ?? unserved(method, []),
      door,
    );
    return new Response(body, { status, headers: replyHeaders });
  };
}
