/** This file owns what the tests of sessions under express share: their drivers, a store as promises, handlers, cookies. */
import { promisify } from 'node:util';
import { type TestContext, testRedis } from '@sluice/redis/testing';
import type session from 'express-session';
import type { SessionDriver } from '../src/driver.ts';
import { FileSessionDriver } from '../src/file-driver.ts';
import { RedisSessionDriver } from '../src/redis-driver.ts';
import { expressStore, type Store, type serve } from './express.ts';
import { testDirectory } from './setup.ts';

export const drivers: Record<string, (t: TestContext) => Promise<SessionDriver>> = {
  Redis: async (t) => {
    const { client, keys } = await testRedis(t);
    return new RedisSessionDriver({ client, keys, area: 'express' });
  },
  files: async (t) => new FileSessionDriver({ directory: await testDirectory(t) }),
};

/** A store over a driver of its own, and its calls. */
export async function storeIn(
  t: TestContext,
  open: (t: TestContext) => Promise<SessionDriver>,
  tuning: { touchEveryMs?: number } = {},
) {
  const driver = await open(t);
  const store = expressStore(driver, tuning);
  return { driver, store, call: promised(store) };
}

export const counting: Parameters<typeof serve>[2] = (request, response) => {
  request.session.count = Number(request.session.count ?? 0) + 1;
  response.send(String(request.session.count));
};

export const remembering: Parameters<typeof serve>[2] = (request, response) => {
  if (request.path === '/remember') request.session.seen = true;
  response.send('ok');
};

/** The store's calls as promises, with data as loosely typed as a caller's. */
export function promised(store: Store) {
  type Data = { cookie?: { expires?: Date | string | null }; [name: string]: unknown };
  const loose = (data: Data) => data as unknown as session.SessionData;
  return {
    get: (sid: string) => promisify(store.get.bind(store))(sid) as Promise<Data | undefined>,
    set: (sid: string, data: Data) =>
      promisify<string, session.SessionData>(store.set.bind(store))(sid, loose(data)),
    touch: (sid: string, data: Data) =>
      promisify<string, session.SessionData>(store.touch.bind(store))(sid, loose(data)),
    destroy: (sid: string) => promisify<string>(store.destroy.bind(store))(sid),
    length: () => promisify(store.length.bind(store))(),
    clear: () => promisify(store.clear.bind(store))(),
  };
}

export function newGate(): { passed: Promise<void>; open(): void } {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

export async function expiresAt(call: ReturnType<typeof promised>, sid: string): Promise<number> {
  return new Date((await call.get(sid))?.cookie?.expires ?? 0).getTime();
}

export async function expiresInMs(call: ReturnType<typeof promised>, sid: string): Promise<number> {
  return (await expiresAt(call, sid)) - Date.now();
}

/** The signed value as the browser keeps it. */
export function idOf([line = '']: string[]): string {
  return line.slice(0, line.indexOf(';'));
}

/** The id of express-session in a `Set-Cookie`: `s:<id>.<signature>`, percent-encoded. */
export function sidOf(setCookie: string[]): string {
  return /=s:([^.]+)\./.exec(decodeURIComponent(idOf(setCookie)))?.[1] ?? '';
}
