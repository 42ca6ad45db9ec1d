/** This file owns the words of sessions: what a user id, a token and a session look like outside, and the error codes. */
import { z } from 'zod';

/**
 * - `session_token_invalid` no live session has this token: unknown, expired, ended, revoked or never issued by us
 * - `session_not_found` the user has no session of this id
 * - `session_conflict` another saved the session after the version this change builds on
 * - `session_superseded` the token has a successor; it is honoured for the overlap, and cannot be rotated again
 * - `session_revoked` all sessions of the user were revoked after the login began
 * - `session_limit_reached` the user has as many sessions as allowed, where the store refuses rather than ends the oldest
 * - `csrf_refused` a browser may have sent the request on behalf of another site
 * - `storage_busy` another process holds the file driver's lock
 */
export const SESSION_ERROR_CODES = [
  'session_token_invalid',
  'session_not_found',
  'session_conflict',
  'session_superseded',
  'session_revoked',
  'session_limit_reached',
  'session_data_too_large',
  'session_data_invalid',
  'csrf_refused',
  'storage_busy',
] as const;
export type SessionErrorCode = (typeof SESSION_ERROR_CODES)[number];

export const MAX_USER_ID_BYTES = 256;
/** A session id in base64url: 16 random bytes. It names a session in lists and logs, and opens nothing. */
export const SESSION_ID_PATTERN = /^[A-Za-z0-9_-]{21}[AQgw]$/;
/** A token in base64url: 60 bytes, of which 32 are its secret. */
export const SESSION_TOKEN_PATTERN = /^[A-Za-z0-9_-]{80}$/;
/** The longest life a single session may ask for. */
export const MAX_SESSION_SECONDS = 365 * 24 * 3_600;

export const userIdSchema = z
  .string()
  .min(1)
  .refine((text) => text.isWellFormed() && new TextEncoder().encode(text).length <= MAX_USER_ID_BYTES, {
    message: `must be well-formed Unicode of at most ${MAX_USER_ID_BYTES} bytes`,
  });

export const sessionIdSchema = z.string().regex(SESSION_ID_PATTERN, { message: 'must be a session id' });
export const sessionTokenSchema = z
  .string()
  .regex(SESSION_TOKEN_PATTERN, { message: 'must be a session token' });
export const sessionSecondsSchema = z.number().int().min(1).max(MAX_SESSION_SECONDS);
export const sessionVersionSchema = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const sessionGenerationSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
