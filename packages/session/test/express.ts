/** This file owns an express application with sessions, served on a free port, and a browser that keeps its cookies. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from '@sluice/redis/testing';
import express from 'express';
import session, { type SessionOptions } from 'express-session';
import type { SessionDriver } from '../src/driver.ts';
import { SessionStore, type SessionStoreOptions } from '../src/express-store.ts';

declare module 'express-session' {
  interface SessionData {
    [name: string]: unknown;
  }
}

export type Store = SessionStore<express.Request, session.SessionData, session.Session & session.SessionData>;
type StoreOptions = SessionStoreOptions<
  express.Request,
  session.SessionData,
  session.Session & session.SessionData
>;

export function expressStore(driver: SessionDriver, tuning: Partial<StoreOptions> = {}): Store {
  return new SessionStore({ session, driver, secret: randomBytes(32), ...tuning });
}

export interface Answer {
  status: number;
  text: string;
  setCookie: string[];
}

export interface Browser {
  get(path?: string): Promise<Answer>;
  /** Everything it would send, as `name=value` by name. */
  cookies: Map<string, string>;
}

/** Serves `handler` for every path, behind express-session with `store`. */
export async function serve(
  t: TestContext,
  store: Store,
  handler: express.RequestHandler,
  options: Partial<SessionOptions> = {},
): Promise<{ browser(): Browser }> {
  const app = express();
  app.use(session({ store, secret: 'keyboard cat', resave: false, saveUninitialized: false, ...options }));
  app.use(handler);
  const failed: express.ErrorRequestHandler = (error, _request, response, next) => {
    if (response.headersSent) next(error);
    else response.status(500).send(String(error));
  };
  app.use(failed);
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { browser: () => newBrowser(root) };
}

function newBrowser(root: string): Browser {
  const cookies = new Map<string, string>();
  return {
    cookies,
    async get(path = '/') {
      const response = await fetch(root + path, { headers: { Cookie: [...cookies.values()].join('; ') } });
      const setCookie = response.headers.getSetCookie();
      for (const line of setCookie) {
        const [pair = ''] = line.split(';');
        cookies.set(pair.slice(0, pair.indexOf('=')), pair);
      }
      return { status: response.status, text: await response.text(), setCookie };
    },
  };
}
