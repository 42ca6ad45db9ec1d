/**
 * This file owns what a session store must do: the one interface of the Redis and the file driver.
 *
 * Every call is atomic among all calls for the same user. A session is live when its user lists it, its expiry lies
 * ahead, its generation is the user's, and the token's hash is its own. A rejection means the store could not answer
 * (`redisFault` names it); it never means "live".
 */
import type { PresentedToken, SessionAddress } from './token.ts';

export interface SessionRecord {
  id: string;
  /** `null`: a session of nobody, made before a login. */
  userId: string | null;
  /** A JSON object as text, untouched. */
  data: string;
  /** 1 when created; each save adds one. */
  version: number;
  createdAtMs: number;
  /** The last use that was written down; younger uses are not (see `touch`). */
  seenAtMs: number;
  /** When it ends if it is not used: `min(seen + idle, endsAtMs)`. */
  expiresAtMs: number;
  /** When it ends whatever happens. */
  endsAtMs: number;
  /** Where the login came from, as told by the caller. */
  address: string | null;
  agent: string | null;
}

export interface NewSession {
  place: PresentedToken;
  userId: string | null;
  data: string;
  idleMs: number;
  absoluteMs: number;
  address: string | null;
  agent: string | null;
  /** What the user's generation was when the login began; `null` when nobody looked. */
  generation: number | null;
  maxPerUser: number;
  whenFull: WhenFull;
}

export type WhenFull = 'end_oldest' | 'refuse';

/** What to do with the session of a live token. */
export type Deed =
  /** Reads, and leaves the expiry alone. */
  | { kind: 'look' }
  /** Reads, and renews the expiry when the last renewal is `everyMs` or a quarter of the idle timeout old. `idleMs` changes the idle timeout. */
  | { kind: 'touch'; everyMs: number; idleMs: number | null }
  /** Replaces the data when the version is still `version` (`null`: whichever it is). */
  | { kind: 'save'; data: string; version: number | null; idleMs: number | null }
  /** Gives the session a new token; the presented one stays good for `overlapMs`. */
  | { kind: 'rotate'; nextHash: string; overlapMs: number }
  | { kind: 'end' }
  /** Ends every other session of the user, those of logins under way included. `memoryMs` as in `revokeAll`. */
  | { kind: 'revoke_others'; memoryMs: number };

export type Verdict =
  /** The session after the deed; `ended` counts sessions that the deed ended. */
  | { kind: 'live'; record: SessionRecord; ended: number }
  | { kind: 'absent' }
  /** A token whose successor is in use, shown after its overlap: whoever shows it may have stolen it. */
  | { kind: 'reused' }
  | { kind: 'superseded' }
  | { kind: 'conflict'; version: number };

export type Creation =
  | { kind: 'created'; record: SessionRecord }
  | { kind: 'revoked'; generation: number }
  | { kind: 'full' };

export interface SessionDriver {
  create(session: NewSession): Promise<Creation>;
  present(token: PresentedToken, deed: Deed): Promise<Verdict>;
  /** The live sessions of a user, in no order; their data is `''` unless asked for. */
  list(user: string, options?: { withData?: boolean }): Promise<SessionRecord[]>;
  /** How often all sessions of the user were revoked; 0 when nothing is known of the user. */
  generation(user: string): Promise<number>;
  /** True when the user listed the session. */
  revoke(address: SessionAddress): Promise<boolean>;
  /** Ends all sessions of the user, answers how many; the generation is remembered for at least `memoryMs`. */
  revokeAll(user: string, memoryMs: number): Promise<number>;
  /** Pages of the tags of all users with sessions; a user may be told twice. */
  users(): AsyncIterable<string[]>;
}
