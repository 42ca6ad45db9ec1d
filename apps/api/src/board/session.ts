/** This file owns the board's session: a sealed cookie that names the key somebody signed in with, and when it ends. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@sluice/runtime';
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';

export const SESSION_SECONDS = 8 * 3_600;

const NAME = 'sluice-board';
/** `<key id>.<end, in seconds since the epoch>.<HMAC-SHA256>` */
const SEALED = /^([0-9A-Za-z]{1,64})\.(\d{10})\.([\w-]{43})$/;

/**
 * Nothing is stored: the cookie says which key, and whoever reads it asks the key ring whether that key still opens. So a
 * revoked key is out at once; a stolen cookie works until it ends or its key is revoked.
 */
export class Sessions {
  readonly #secret: Buffer;
  readonly #clock: Clock;

  /** `secret`: 32 bytes, used for nothing else. */
  constructor(options: { secret: Buffer; clock: Clock }) {
    this.#secret = options.secret;
    this.#clock = options.clock;
  }

  /**
   * Sets the cookie. Over https it is bound to this host (`__Host-`); over http, which has nothing to offer but the
   * machine itself and a trusted network, it is sent below /admin only.
   */
  begin(c: Context, keyId: string, isHttps: boolean): void {
    const endsAt = Math.floor(this.#clock.now() / 1_000) + SESSION_SECONDS;
    const token = `${keyId}.${endsAt}.${this.#seal(`${keyId}.${endsAt}`)}`;
    const options = { httpOnly: true, sameSite: 'Strict', maxAge: SESSION_SECONDS } as const;
    if (isHttps) setCookie(c, NAME, token, { ...options, prefix: 'host', secure: true, path: '/' });
    else setCookie(c, NAME, token, { ...options, path: '/admin' });
  }

  end(c: Context): void {
    deleteCookie(c, NAME, { path: '/admin' });
    deleteCookie(c, `__Host-${NAME}`, { path: '/', secure: true });
  }

  /** The id of the key that the cookie names; `undefined` for one that is absent, forged or over. */
  keyId(c: Context): string | undefined {
    const token = getCookie(c, NAME, 'host') ?? getCookie(c, NAME);
    const [, keyId, endsAt, seal] = SEALED.exec(token ?? '') ?? [];
    if (keyId === undefined || endsAt === undefined || seal === undefined) return undefined;
    const expected = this.#seal(`${keyId}.${endsAt}`);
    if (!timingSafeEqual(Buffer.from(expected), Buffer.from(seal))) return undefined;
    return Number(endsAt) * 1_000 > this.#clock.now() ? keyId : undefined;
  }

  #seal(text: string): string {
    return createHmac('sha256', this.#secret).update('board session\0').update(text).digest('base64url');
  }
}
