/**
 * This file owns the middleware for Hono, described by shape: nothing of Hono is imported.
 *
 * ```ts
 * app.use(sessionMiddleware({ sessions, cookie: new SessionCookie({ keys }), csrf: new Csrf({ keys }) }));
 * app.post('/login', async (c) => {
 *   const generation = await sessions.generation(user.id);   // before the password is looked at
 *   …
 *   await c.get('session').signIn({ userId: user.id, generation });
 *   return c.json({ csrf: c.get('session').csrfToken() });
 * });
 * ```
 */
import { BrowserSession, type BrowserSessionOptions } from './browser-session.ts';

/** The part of Hono's `Context` that is used. */
export interface MiddlewareContext {
  req: { method: string; header(name: string): string | undefined };
  header(name: string, value: string, options?: { append?: boolean }): void;
  set(key: string, value: unknown): void;
}

/** `c.get('session')` in a handler: give it to Hono as `new Hono<{ Variables: SessionVariables }>()`. */
export interface SessionVariables {
  session: BrowserSession;
}

/**
 * Opens the visitor's session before the handler, with at most one call to the store, and does nothing after it: what a
 * handler changes is stored and put into the answer's headers when it changes it.
 */
export function sessionMiddleware(
  options: BrowserSessionOptions,
): (c: MiddlewareContext, next: () => Promise<void>) => Promise<void> {
  return async (c, next) => {
    const exchange = {
      method: c.req.method,
      header: (name: string) => c.req.header(name),
      setHeader: (name: string, value: string) => c.header(name, value),
      addCookie: (setCookie: string) => c.header('Set-Cookie', setCookie, { append: true }),
    };
    c.set('session', await BrowserSession.open(exchange, options));
    await next();
  };
}
