export { BrowserSession, type BrowserSessionOptions, type Exchange } from './browser-session.ts';
export { type CookieOptions, SessionCookie } from './cookie.ts';
export { CSRF_HEADER, Csrf, type CsrfOptions, type CsrfRefusal } from './csrf.ts';
export type {
  Creation,
  Deed,
  NewSession,
  SessionDriver,
  SessionRecord,
  Verdict,
  WhenFull,
} from './driver.ts';
export { SessionStore, type SessionStoreOptions } from './express-store.ts';
export { FileSessionDriver } from './file-driver.ts';
export { type MiddlewareContext, type SessionVariables, sessionMiddleware } from './middleware.ts';
export type { NewSessionOptions, SessionsOptions } from './options.ts';
export { RedisSessionDriver } from './redis-driver.ts';
export { SESSION_ERROR_CODES, type SessionErrorCode } from './schemas.ts';
export type { Session, SessionData, SessionSummary } from './session.ts';
export { type IssuedSession, type SessionCounts, Sessions } from './sessions.ts';
