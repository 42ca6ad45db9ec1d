/** This file owns the sessions of operators: the cookie, what stands behind it in Redis, and the token that their forms carry. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { deriveSecret, type Log } from '@sluice/runtime';
import { RedisSessionDriver, type Session, SessionCookie, Sessions } from '@sluice/session';
import type { Context } from 'hono';

/** An hour without a look: a board that is open looks by itself. */
export const IDLE_MS = 3_600_000;
/** The reauthentication limit of NIST SP 800-63B §2.2.3 (AAL2). */
export const ABSOLUTE_MS = 12 * 3_600_000;
export const ADMIN_PATH = '/admin';

const MAX_PER_OPERATOR = 20;
/** Beside keys and records: what a Redis user of the queue role may reach. */
const AREA = 'system:sessions';
const COOKIE_NAME = 'sluice-operator';

/** Who signed in, and with what. */
export interface SignedIn {
  kind: 'key' | 'account';
  id: string;
  /** Of the account's password; '' for a key. */
  mark: string;
}

/** Told once, on the next page. */
export interface Notice {
  kind: 'done' | 'fault';
  text: string;
}

export interface OperatorSession extends SignedIn {
  sessionId: string;
  token: string;
  notice: Notice | undefined;
}

export interface OperatorSessionsOptions {
  /** Of the queue's Redis, where the records lie. */
  client: RedisClient;
  keys: Keyspace;
  /** 32 bytes, used for nothing else. */
  secret: Buffer;
  idleMs?: number;
  absoluteMs?: number;
  log?: Log;
}

export class OperatorSessions {
  readonly #sessions: Sessions;
  readonly #formKey: Buffer;
  readonly #absoluteMs: number;
  /** Over https, and over plain http, where browsers take no `Secure` cookie. */
  readonly #cookies: { secure: SessionCookie; plain: SessionCookie };

  constructor(options: OperatorSessionsOptions) {
    const { client, keys, secret, idleMs = IDLE_MS, absoluteMs = ABSOLUTE_MS, log } = options;
    this.#sessions = new Sessions({
      driver: new RedisSessionDriver({ client, keys, area: AREA }),
      secret: deriveSecret(secret, 'tokens'),
      idleMs,
      absoluteMs,
      maxPerUser: MAX_PER_OPERATOR,
      ...(log && { log }),
    });
    this.#absoluteMs = absoluteMs;
    this.#formKey = deriveSecret(secret, 'forms');
    const cookie = {
      keys: [deriveSecret(secret, 'cookies')],
      name: COOKIE_NAME,
      path: ADMIN_PATH,
      sameSite: 'Strict',
    } as const;
    this.#cookies = {
      secure: new SessionCookie(cookie),
      plain: new SessionCookie({ ...cookie, isSecure: false }),
    };
  }

  /** Begins a session, in the place of the one that the browser had. */
  async begin(c: Context, { kind, id, mark }: SignedIn, address: string): Promise<void> {
    const replaces = this.#token(c);
    const { token } = await this.#sessions.create({
      userId: `${kind}:${id}`,
      data: { mark },
      address,
      agent: c.req.header('user-agent') ?? null,
      ...(replaces !== undefined && { replaces }),
    });
    const isHttps = c.req.header('origin')?.startsWith('https:') === true;
    const cookie = isHttps ? this.#cookies.secure : this.#cookies.plain;
    c.header('Set-Cookie', cookie.write(token, this.#absoluteMs), { append: true });
  }

  /** The live session of the browser. `touch: false`: looking is no use of it. */
  async read(c: Context, { touch = true } = {}): Promise<OperatorSession | undefined> {
    const token = this.#token(c);
    const session = token === undefined ? undefined : await this.#sessions.read(token, { touch });
    return session && token !== undefined ? readSession(session, token) : undefined;
  }

  async end(c: Context): Promise<void> {
    const token = this.#token(c);
    if (token !== undefined) await this.#sessions.end(token);
    for (const cookie of Object.values(this.#cookies)) {
      c.header('Set-Cookie', cookie.clear(), { append: true });
    }
  }

  /** Keeps a notice for the next page; `undefined` takes it away. */
  async leave(token: string, notice: Notice | undefined): Promise<void> {
    await this.#sessions.update(token, ({ mark }) => ({ mark, ...(notice && { notice }) }));
  }

  /** Ends all sessions of an operator; answers how many. */
  async revokeAll({ kind, id }: Pick<SignedIn, 'kind' | 'id'>): Promise<number> {
    return await this.#sessions.revokeAll(`${kind}:${id}`);
  }

  /** What each form of this session carries (OWASP: HMAC-based token pattern): no other site can know it. */
  formToken(sessionId: string): string {
    return createHmac('sha256', this.#formKey).update(sessionId).digest('base64url');
  }

  isFormToken(sessionId: string, given: string): boolean {
    const [expected, found] = [Buffer.from(this.formToken(sessionId)), Buffer.from(given)];
    return expected.length === found.length && timingSafeEqual(expected, found);
  }

  #token(c: Context): string | undefined {
    const header = c.req.header('cookie');
    return (this.#cookies.secure.read(header) ?? this.#cookies.plain.read(header))?.token;
  }
}

function readSession({ id: sessionId, userId, data }: Session, token: string): OperatorSession | undefined {
  const [, kind, id] = /^(key|account):(.+)$/.exec(userId ?? '') ?? [];
  if ((kind !== 'key' && kind !== 'account') || id === undefined) return undefined;
  const { mark = '', notice } = data.toJSON() as { mark?: string; notice?: Notice };
  return { kind, id, mark, sessionId, token, notice };
}
