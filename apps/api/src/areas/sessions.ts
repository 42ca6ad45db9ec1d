/** This file owns the wiring of sessions: their store and routes. */
import { type SessionCounts, Sessions, type SessionsOptions } from '@sluice/session';
import { sessionHandlers } from '../routes/sessions.ts';
import { SessionStore, type SessionStoreOptions } from '../session-store.ts';
import type { AreaHandlers } from './lazy-handlers.ts';

/** Starts the store; stopping it is the caller's. */
export function openSessions(options: {
  store: SessionStoreOptions;
  sessions: Omit<SessionsOptions, 'driver'>;
  allowsQueryCredentials: boolean;
}): { store: SessionStore; handlers: AreaHandlers<'sessions'>; counts: SessionCounts } {
  const store = new SessionStore(options.store);
  store.start();
  const sessions = new Sessions({ driver: store.driver, ...options.sessions });
  const { allowsQueryCredentials } = options;
  const handlers = sessionHandlers({ sessions, allowsQueryCredentials });
  return { store, handlers, counts: sessions.counts };
}
