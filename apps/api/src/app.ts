/**
 * This file owns the four doors behind one address: everything with a name of ours, the keys of cache services, whose
 * names are the user's, what lies beside those keys, and pages. The first three have a router each, because no router
 * of ours may hold two patterns for the same path.
 */
import type { ServerResponse } from 'node:http';
import { type ErrorCode, type RouteDeclaration, routes } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { RequestSpan } from '@sluice/tracing';
import type { Handlers } from './http/call.ts';
import { Exchange } from './http/exchange.ts';
import type { Occupancy } from './http/occupancy.ts';
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
  pages: readonly Pages[],
  occupancy: Occupancy,
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
    const exchange = new Exchange(incoming, outgoing, occupancy.bodies);
    const path = rawPath(exchange.target);
    const page = pages.find(({ path: root }) => path === root || path.startsWith(`${root}/`));
    if (!HOST.test(exchange.header('host') ?? '')) {
      refuse(exchange, new DomainError('input_invalid', 'The Host header is malformed.'));
      return;
    }
    if (isFramedTwice(exchange)) {
      outgoing.setHeader('Connection', 'close');
      refuse(
        exchange,
        new DomainError('input_invalid', 'Content-Length and Transfer-Encoding exclude each other.'),
      );
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
    const { found, params } = match;
    if (!occupancy.hasRoom(exchange, found.declaration)) return;
    const work = () => serve(exchange, found, params, door);
    const held = () => occupancy.hold(exchange, found.declaration, work);
    const served = door.trace ? door.trace(spanOf(found, exchange, outgoing), held) : held();
    served.catch((error: unknown) => {
      failedReply(exchange, error, door);
      exchange.abandon();
    });
  };
}

/** Node refuses both of them unless the encoding is empty, which it passes over and a proxy may not (RFC 9112 §6.1). */
function isFramedTwice(exchange: Exchange): boolean {
  return (
    exchange.header('transfer-encoding') !== undefined && exchange.header('content-length') !== undefined
  );
}

function spanOf({ declaration }: Endpoint, exchange: Exchange, outgoing: ServerResponse): RequestSpan {
  return {
    method: exchange.method,
    route: declaration.path,
    operation: declaration.id,
    header: (name) => exchange.header(name),
    status: () => outgoing.statusCode,
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
