/**
 * This file owns the question whether a request with a session cookie was meant by the user: what the browser says of its
 * origin (Fetch Metadata, `Origin`), and a signed double submit bound to the session (OWASP CSRF Prevention Cheat Sheet).
 *
 * ```
 *  GET, HEAD, OPTIONS, TRACE ──────────────────────────────────────────────▶ fine: they change nothing
 *  Sec-Fetch-Site ─ same-origin, none ──┐
 *                 ─ other: Origin trusted ┼─▶ header token = cookie token, signed for this session ─▶ fine
 *  absent: Origin ─ own host, trusted ──┤                                       │
 *  both absent ──(not a browser of 2020+)┘                     refused ◀── otherwise
 * ```
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { cookieValues } from './cookie.ts';
import { KeyRing, MAC_CHARACTERS } from './key-ring.ts';

export const CSRF_HEADER = 'x-csrf-token';

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];
const RANDOM_BYTES = 16;
const RANDOM_CHARACTERS = 22;
const PURPOSE = 'csrf';

export interface CsrfOptions {
  /** As the cookie's keys; they may be the same, each use has a purpose of its own. */
  keys: readonly Buffer[];
  /** Other origins whose pages may call, as `https://app.example.com`; default none. */
  trustedOrigins?: readonly string[];
  /** As the session cookie's; default true. */
  isSecure?: boolean;
}

/** What of a request is looked at. Header names are lower-case. */
export interface CsrfRequest {
  method: string;
  header(name: string): string | undefined;
}

export const CSRF_REFUSALS = [
  'cross_site',
  'origin_untrusted',
  'token_missing',
  'token_mismatch',
  'token_invalid',
] as const;
export type CsrfRefusal = (typeof CSRF_REFUSALS)[number];

export class Csrf {
  readonly cookieName: string;
  readonly #ring: KeyRing;
  readonly #trusted: ReadonlySet<string>;
  readonly #attributes: string;

  constructor({ keys, trustedOrigins = [], isSecure = true }: CsrfOptions) {
    const wrong = trustedOrigins.find((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin);
    if (wrong !== undefined) throw new TypeError(`'${wrong}' is no origin, such as https://app.example.com`);
    this.cookieName = isSecure ? '__Host-csrf' : 'csrf';
    this.#ring = new KeyRing(keys);
    this.#trusted = new Set(trustedOrigins);
    this.#attributes = `Path=/; SameSite=Strict${isSecure ? '; Secure' : ''}`;
  }

  /** A token for this session, to be sent back in `X-CSRF-Token`. Good as long as the session is; rotation leaves it valid. */
  issue(sessionId: string): string {
    const random = randomBytes(RANDOM_BYTES).toString('base64url');
    return `${random}.${this.#ring.sign(PURPOSE, `${sessionId}\0${random}`)}`;
  }

  /** The `Set-Cookie` value that lets the page's own script read the token: not HttpOnly, and no secret of the session. */
  write(token: string): string {
    return `${this.cookieName}=${token}; ${this.#attributes}`;
  }

  /** Why the request may not change anything with this session; `undefined` when it may. */
  refusal(request: CsrfRequest, sessionId: string): CsrfRefusal | undefined {
    if (SAFE_METHODS.includes(request.method.toUpperCase())) return undefined;
    return this.originRefusal(request) ?? this.#tokenRefusal(request, sessionId);
  }

  /** The origin alone, for a request of a visitor without a session: a forged login. */
  originRefusal({ header }: CsrfRequest): CsrfRefusal | undefined {
    const site = header('sec-fetch-site');
    const origin = header('origin');
    if (site === 'same-origin' || site === 'none') return undefined;
    if (site === undefined && origin === undefined) return undefined;
    if (origin !== undefined && this.#trusted.has(origin)) return undefined;
    if (site !== undefined) return 'cross_site';
    // Scheme and port may be a proxy's; the host is the browser's own (RFC 9110 §7.2).
    const host = hostOf(origin);
    return host && host === header('host')?.toLowerCase() ? undefined : 'origin_untrusted';
  }

  #tokenRefusal({ header }: CsrfRequest, sessionId: string): CsrfRefusal | undefined {
    const sent = header(CSRF_HEADER);
    if (!sent) return 'token_missing';
    const kept = cookieValues(header('cookie'), this.cookieName);
    if (kept.length === 0) return 'token_missing';
    if (!kept.some((value) => isSame(value, sent))) return 'token_mismatch';
    const random = sent.slice(0, RANDOM_CHARACTERS);
    if (sent.length !== RANDOM_CHARACTERS + 1 + MAC_CHARACTERS || sent[RANDOM_CHARACTERS] !== '.')
      return 'token_invalid';
    const signature = sent.slice(RANDOM_CHARACTERS + 1);
    return this.#ring.verify(PURPOSE, `${sessionId}\0${random}`, signature) ? undefined : 'token_invalid';
  }
}

function hostOf(origin: string | undefined): string | undefined {
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).host : undefined;
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
