export type {
  Creation,
  Deed,
  NewSession,
  SessionDriver,
  SessionRecord,
  Verdict,
  WhenFull,
} from './driver.ts';
export { FileSessionDriver } from './file-driver.ts';
export { RedisSessionDriver } from './redis-driver.ts';
export type { Session, SessionData, SessionSummary } from './session.ts';
export { type IssuedSession, type NewSessionOptions, Sessions, type SessionsOptions } from './sessions.ts';
