/**
 * This file owns the session token: how it is made, read and turned into what the store may know of it.
 *
 * ```
 * token = base64url( user tag 12 bytes | session id 16 bytes | secret 32 bytes )        80 characters
 * ```
 *
 * The tag is a keyed hash of the user id (random for a session of nobody): it leads to the hash slot that holds all
 * keys of the user, and tells nothing of who that is. Only an HMAC-SHA256 of the whole token is stored, so a copy
 * of the store holds nothing that can be replayed, and nothing to test guesses against without our secret.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { SESSION_TOKEN_PATTERN } from './schemas.ts';

/** Where a session lies: `user` is the tag, `id` the session's public name. Both base64url. */
export interface SessionAddress {
  user: string;
  id: string;
}

/** A token as the store may see it. */
export interface PresentedToken extends SessionAddress {
  /** HMAC-SHA256 of the token, base64url. */
  hash: string;
}

export const MIN_SECRET_BYTES = 32;
const USER_TAG_BYTES = 12;
const SESSION_ID_BYTES = 16;
const TOKEN_SECRET_BYTES = 32;

export class TokenMint {
  readonly #secret: Buffer;

  /** Throws `TypeError` when `secret` is shorter than `MIN_SECRET_BYTES`. Another secret ends every session. */
  constructor(secret: Buffer) {
    if (secret.length < MIN_SECRET_BYTES) {
      throw new TypeError(
        `a session secret has at least ${MIN_SECRET_BYTES} bytes, this one has ${secret.length}`,
      );
    }
    this.#secret = Buffer.from(secret);
  }

  /** The same user has the same tag; `null`, nobody, has a fresh one each time. */
  userTag(userId: string | null): string {
    const bytes = userId === null ? randomBytes(USER_TAG_BYTES) : this.#mac('user', userId);
    return bytes.toString('base64url', 0, USER_TAG_BYTES);
  }

  /** A new token; with `id`, the next token of that session. */
  mint(user: string, id?: string): { token: string; presented: PresentedToken } {
    const sessionId = id ?? randomBytes(SESSION_ID_BYTES).toString('base64url');
    const token = Buffer.concat([
      Buffer.from(user, 'base64url'),
      Buffer.from(sessionId, 'base64url'),
      randomBytes(TOKEN_SECRET_BYTES),
    ]).toString('base64url');
    return { token, presented: { user, id: sessionId, hash: this.#hash(token) } };
  }

  /** What `token` claims to be; `undefined` when it cannot be one of ours. Only the store knows whether it is. */
  read(token: string): PresentedToken | undefined {
    if (!SESSION_TOKEN_PATTERN.test(token)) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    return {
      user: bytes.toString('base64url', 0, USER_TAG_BYTES),
      id: bytes.toString('base64url', USER_TAG_BYTES, USER_TAG_BYTES + SESSION_ID_BYTES),
      hash: this.#hash(token),
    };
  }

  /** A place for an id that another library made (express-session). The same id has the same place. */
  readForeign(foreignId: string): PresentedToken {
    const place = this.#mac('foreign', foreignId);
    return {
      user: place.toString('base64url', 0, USER_TAG_BYTES),
      id: place.toString('base64url', USER_TAG_BYTES, USER_TAG_BYTES + SESSION_ID_BYTES),
      hash: this.#hash(foreignId),
    };
  }

  #hash(token: string): string {
    return this.#mac('token', token).toString('base64url');
  }

  #mac(purpose: 'user' | 'token' | 'foreign', text: string): Buffer {
    return createHmac('sha256', this.#secret).update(`${purpose}\0${text}`).digest();
  }
}
