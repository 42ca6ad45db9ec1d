/** This file owns the settings of sessions: what may be set, what it is when it is not, what is refused. */
import type { Log } from '@sluice/runtime';
import type { SessionDriver, WhenFull } from './driver.ts';
import { MAX_SESSION_SECONDS, userIdSchema } from './schemas.ts';
import type { SessionData } from './session.ts';

/** The page's "Session data 1800"; also the inactivity limit of NIST SP 800-63B §2.2.3 (AAL2). */
export const DEFAULT_IDLE_MS = 30 * 60_000;
/** The reauthentication limit of NIST SP 800-63B §2.2.3 (AAL2). */
export const DEFAULT_ABSOLUTE_MS = 12 * 3_600_000;
/** Requests that a browser has under way while the token is replaced arrive within it. */
export const DEFAULT_OVERLAP_MS = 10_000;
export const DEFAULT_MAX_PER_USER = 100;
/** A touch is a write; a tenth of the idle timeout is precise enough, and seldom pays below half a minute. */
export const MIN_TOUCH_EVERY_MS = 30_000;
export const MAX_ADDRESS_CHARACTERS = 64;
export const MAX_AGENT_CHARACTERS = 256;

export interface SessionsOptions {
  driver: SessionDriver;
  /** At least 32 random bytes, the same in every process. Changing it ends every session. */
  secret: Buffer;
  /** Default 30 minutes. A session ends when it is not used so long. */
  idleMs?: number;
  /** Default 12 hours. A session ends so long after its creation, used or not; a rotation does not renew it. */
  absoluteMs?: number;
  /** Uses younger than this are not written down. Default a tenth of `idleMs`, at least 30 s. */
  touchEveryMs?: number;
  /** How long a rotated token is still honoured, default 10 s; 0: it dies at once. */
  overlapMs?: number;
  /** Default 100, at most 1,000. */
  maxPerUser?: number;
  /** What a login does when the user has `maxPerUser` sessions: ends the one that expires first (default), or is refused. */
  whenFull?: WhenFull;
  /** Default 64 KiB. */
  maxDataBytes?: number;
  /** Told of creation, rotation and ends by session id, and of replayed tokens. Never of tokens or data. */
  log?: Log;
}

export interface NewSessionOptions {
  /** 1 to 256 bytes; `null` for a visitor who has not logged in. */
  userId: string | null;
  /** Default `{}`. */
  data?: SessionData;
  /** For this session only; default the store's. */
  idleMs?: number;
  absoluteMs?: number;
  /** Where and with what the user logged in, for the user's own list. Cut at 64 and 256 characters. */
  address?: string | null;
  agent?: string | null;
  /**
   * What `generation(userId)` was before the password was looked at. When all sessions of the user were revoked since,
   * the login fails with `session_revoked`. Absent: a login that overlaps a revocation may outlive it, listed as any other.
   */
  generation?: number;
  /** The token in use until now, which ends: a login makes a new session, and never adopts the visitor's. */
  replaces?: string;
}

/** Throws `TypeError`: callers that take ids from outside check them first. */
export function checkUserId(userId: string): void {
  if (!userIdSchema.safeParse(userId).success)
    throw new TypeError('a user id has 1 to 256 bytes of well-formed Unicode');
}

export function checkMs(name: string, ms: number): number {
  if (!(Number.isInteger(ms) && ms >= 1 && ms <= MAX_SESSION_SECONDS * 1_000)) {
    throw new TypeError(`${name} is a whole number of milliseconds from 1 to a year, not ${ms}`);
  }
  return ms;
}
