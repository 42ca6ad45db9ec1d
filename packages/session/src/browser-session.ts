/**
 * This file owns one visitor's session during one request: what the cookie led to, and the changes a handler makes, each
 * of which is stored and told to the browser at once. A visitor for whom nothing is stored costs nothing.
 */
import type { SessionCookie } from './cookie.ts';
import type { Csrf, CsrfRefusal } from './csrf.ts';
import type { NewSessionOptions } from './options.ts';
import { type Session, type SessionData, sessionError } from './session.ts';
import type { Sessions } from './sessions.ts';

/** What is needed of a request and its answer; `@sluice/session` knows no web framework. */
export interface Exchange {
  method: string;
  /** By lower-case name. */
  header(name: string): string | undefined;
  setHeader(name: string, value: string): void;
  addCookie(setCookie: string): void;
}

export interface BrowserSessionOptions {
  sessions: Sessions;
  cookie: SessionCookie;
  /** `null` only where another layer protects against forged requests. */
  csrf: Csrf | null;
}

export class BrowserSession {
  readonly #exchange: Exchange;
  readonly #sessions: Sessions;
  readonly #cookie: SessionCookie;
  readonly #csrf: Csrf | null;
  #token: string | undefined;
  #current: Session | undefined;

  private constructor(exchange: Exchange, { sessions, cookie, csrf }: BrowserSessionOptions) {
    this.#exchange = exchange;
    this.#sessions = sessions;
    this.#cookie = cookie;
    this.#csrf = csrf;
  }

  /**
   * Reads the cookie and its session. Throws `csrf_refused` when the request would change something and was not meant by
   * the user, and what the store throws when it is away. A cookie that leads nowhere is cleared.
   */
  static async open(exchange: Exchange, options: BrowserSessionOptions): Promise<BrowserSession> {
    const visitor = new BrowserSession(exchange, options);
    const found = options.cookie.read(exchange.header('cookie'));
    if (!found) return visitor;
    // Whatever is answered now depends on the cookie.
    exchange.setHeader('Cache-Control', 'no-store');
    const session = await options.sessions.read(found.token);
    if (!session) {
      exchange.addCookie(options.cookie.clear());
      return visitor;
    }
    refuse(options.csrf?.refusal(exchange, session.id));
    visitor.#token = found.token;
    visitor.#current = session;
    if (found.isStale) visitor.#tell(found.token, session);
    return visitor;
  }

  /** The live session; `undefined` for a visitor without one. */
  get current(): Session | undefined {
    return this.#current;
  }

  /** Logs a user in: always a new session, which ends the visitor's own. Errors as `Sessions.create`, and `csrf_refused`. */
  async signIn(options: Omit<NewSessionOptions, 'replaces'> & { userId: string }): Promise<Session> {
    return await this.#begin(options);
  }

  /** Makes a session for a visitor who has not logged in, when there is something to remember. */
  async begin(data: SessionData): Promise<Session> {
    return await this.#begin({ userId: null, data });
  }

  /** Changes the data, as `Sessions.update`. Throws `session_token_invalid` for a visitor without a session. */
  async update(
    change: (data: Record<string, unknown>, session: Session) => SessionData | Promise<SessionData>,
  ): Promise<Session> {
    this.#current = await this.#sessions.update(this.#demandToken(), change);
    return this.#current;
  }

  /** A new token for the same session, to be done at every change of privilege. Errors as `Sessions.rotate`. */
  async rotate(options: { overlapMs?: number } = {}): Promise<Session> {
    const { token, session } = await this.#sessions.rotate(this.#demandToken(), options);
    this.#tell(token, session);
    return session;
  }

  /** Logs out: the session ends in the store, the browser forgets the cookie and what it kept of this site. */
  async signOut(): Promise<void> {
    if (this.#token !== undefined) await this.#sessions.end(this.#token);
    this.#token = undefined;
    this.#current = undefined;
    this.#exchange.addCookie(this.#cookie.clear());
    // Without "cookies", which would reach the cookies of sibling hosts too.
    this.#exchange.setHeader('Clear-Site-Data', '"cache", "storage"');
  }

  /** Ends every other session of the user; answers how many. Throws `session_token_invalid`. */
  async signOutOthers(): Promise<number> {
    return await this.#sessions.revokeOthers(this.#demandToken());
  }

  /** A token for forms and scripts, also set as the cookie that it is compared with. Throws `session_token_invalid`. */
  csrfToken(): string {
    if (!this.#csrf) throw new TypeError('this middleware was made without CSRF protection');
    if (!this.#current) throw notSignedIn();
    const token = this.#csrf.issue(this.#current.id);
    this.#exchange.addCookie(this.#csrf.write(token));
    return token;
  }

  async #begin(options: NewSessionOptions): Promise<Session> {
    if (!this.#current) refuse(this.#csrf?.originRefusal(this.#exchange));
    const replaces = this.#token === undefined ? {} : { replaces: this.#token };
    const agent = options.agent ?? this.#exchange.header('user-agent') ?? null;
    const { token, session } = await this.#sessions.create({ ...options, agent, ...replaces });
    this.#tell(token, session);
    return session;
  }

  #tell(token: string, session: Session): void {
    this.#token = token;
    this.#current = session;
    this.#exchange.setHeader('Cache-Control', 'no-store');
    this.#exchange.addCookie(this.#cookie.write(token, session.endsAtMs - session.seenAtMs));
  }

  #demandToken(): string {
    if (this.#token === undefined) throw notSignedIn();
    return this.#token;
  }
}

function refuse(refusal: CsrfRefusal | undefined): void {
  if (!refusal) return;
  throw sessionError('csrf_refused', `The request was not sent by a page of this site (${refusal}).`, {
    refusal,
  });
}

function notSignedIn() {
  return sessionError('session_token_invalid', 'This visitor has no session.');
}
