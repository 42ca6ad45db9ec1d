/**
 * This file owns pages with a life of their own (the board, the API docs). They are Hono apps that few processes are ever
 * asked for: their code, and what turns Node's requests into web ones, is loaded by the first request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Hono } from 'hono';
import type { BodySource } from './http/body.ts';

/** Answers one request. Never throws. */
export type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

export interface Pages {
  /** They answer for it and everything below. */
  path: string;
  listen: Listener;
}

/** What a page's Hono app knows of the request beneath. */
export interface Binding {
  incoming?: { socket?: { remoteAddress?: string } };
}

/** What a page does not answer itself; `error` is `undefined` for an address it does not know. */
export type Fallback = (request: Request, error: unknown) => Response;

/** `load` runs once, at the first request; when it fails, that request is answered with the failure and the next tries again. */
export function lazyPages(path: string, load: () => Promise<Hono>, fallback: Fallback): Pages {
  let loading: Promise<Listener> | undefined;
  const open = async (): Promise<Listener> => {
    const { Hono: Root } = await import('hono');
    let failure: unknown;
    const app = await load().catch((error: unknown) => {
      failure = error;
      loading = undefined;
      return new Root().all('*', () => Promise.reject(error));
    });
    const root = new Root().route(path, app);
    root.notFound((c) => fallback(c.req.raw, failure));
    root.onError((error, c) =>
      'getResponse' in error ? error.getResponse() : fallback(c.req.raw, failure ?? error),
    );
    return await listenerOf(root, fallback);
  };
  return {
    path,
    listen(incoming, outgoing) {
      loading ??= open();
      loading.then(
        (listen) => listen(incoming, outgoing),
        () => outgoing.destroy(),
      );
    },
  };
}

/** A Hono app on Node's own server. */
export async function listenerOf(app: Pick<Hono, 'fetch'>, fallback?: Fallback): Promise<Listener> {
  const { getRequestListener } = await import('@hono/node-server');
  const listener = getRequestListener((request, binding) => app.fetch(request, binding), {
    overrideGlobalObjects: false,
    ...(fallback && { errorHandler: (error) => fallback(new Request('http://localhost/'), error) }),
  });
  return (incoming, outgoing) => void listener(incoming, outgoing);
}

/** The body of a web request, bounded as it is read. */
export function bodyOf(request: Request): BodySource {
  return {
    header: (name) => request.headers.get(name) ?? undefined,
    async body(maxBytes) {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of request.body ?? []) {
        size += chunk.byteLength;
        if (size > maxBytes) return undefined;
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
  };
}
