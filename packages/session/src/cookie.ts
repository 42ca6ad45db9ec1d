/**
 * This file owns the session cookie: `__Host-{name}={token}.{mac}`. The MAC keeps tokens that are not ours from the
 * store; the store alone knows which of ours are live.
 */
import { KeyRing, MAC_CHARACTERS } from './key-ring.ts';
import { SESSION_TOKEN_PATTERN } from './schemas.ts';

/** Tells nothing of what made it. */
export const DEFAULT_COOKIE_NAME = 'id';

export interface CookieOptions {
  /** At least one of at least 32 bytes; the first signs, all verify. */
  keys: readonly Buffer[];
  /** Without the prefix; default `id`. */
  name?: string;
  /**
   * Default true: `__Host-` and `Secure`, which a browser takes over HTTPS or from localhost, for this host alone
   * (RFC 6265bis §4.1.3.2). False is for development over plain HTTP.
   */
  isSecure?: boolean;
  /** Default `Lax`: `Strict` also logs out whoever follows a link to the site. */
  sameSite?: 'Strict' | 'Lax';
  /**
   * Default `/`. Another one keeps the cookie from the other pages of the host; `__Secure-` then stands in the place of
   * `__Host-`, which asks for `/` (RFC 6265bis §4.1.3.2).
   */
  path?: string;
}

export interface CookieToken {
  token: string;
  /** Signed by a key that is on its way out: set the cookie again. */
  isStale: boolean;
}

export class SessionCookie {
  readonly name: string;
  readonly #ring: KeyRing;
  readonly #attributes: string;

  constructor(options: CookieOptions) {
    const { keys, name = DEFAULT_COOKIE_NAME, isSecure = true, sameSite = 'Lax', path = '/' } = options;
    if (!/^[\w-]{1,64}$/.test(name))
      throw new TypeError(`'${name}' is no cookie name: letters, digits, _ and -`);
    if (!/^\/[\w/.-]{0,255}$/.test(path)) throw new TypeError(`'${path}' is no path of a cookie`);
    this.name = isSecure ? `${path === '/' ? '__Host-' : '__Secure-'}${name}` : name;
    this.#ring = new KeyRing(keys);
    this.#attributes = `Path=${path}; HttpOnly; SameSite=${sameSite}${isSecure ? '; Secure' : ''}`;
  }

  /** The token of a `Cookie` header; `undefined` when it has none that we signed. */
  read(header: string | undefined): CookieToken | undefined {
    for (const value of cookieValues(header, this.name)) {
      const token = value.slice(0, -MAC_CHARACTERS - 1);
      if (value.at(-MAC_CHARACTERS - 1) !== '.' || !SESSION_TOKEN_PATTERN.test(token)) continue;
      const signedBy = this.#ring.verify(this.name, token, value.slice(-MAC_CHARACTERS));
      if (signedBy) return { token, isStale: signedBy === 'older' };
    }
    return undefined;
  }

  /** A `Set-Cookie` value. The browser keeps it for `maxAgeMs`, the time until the session's absolute end. */
  write(token: string, maxAgeMs: number): string {
    const seconds = Math.max(1, Math.floor(maxAgeMs / 1_000));
    return `${this.name}=${token}.${this.#ring.sign(this.name, token)}; ${this.#attributes}; Max-Age=${seconds}`;
  }

  /** A `Set-Cookie` value that makes the browser forget. */
  clear(): string {
    return `${this.name}=; ${this.#attributes}; Max-Age=0`;
  }
}

/** A browser may send one name several times (RFC 6265 §5.4): all of its values, bounded by the header's own length. */
export function cookieValues(header: string | undefined, name: string): string[] {
  if (header === undefined) return [];
  return header.split(';').flatMap((pair) => {
    const [found, ...value] = pair.split('=');
    return found?.trim() === name ? [value.join('=').trim()] : [];
  });
}
