/**
 * This file owns the store for express-session, described by shape: nothing of express is imported.
 *
 * ```ts
 * const store = new SessionStore({ session, driver: new RedisSessionDriver({ client, keys, area: 'express' }), secret });
 * app.use(session({ store, secret: cookieSecret, resave: false, saveUninitialized: false }));
 * ```
 *
 * What it does otherwise than the stores it replaces:
 * - the ids that express-session makes are not stored, only their keyed hash; `all` tells sessions without ids
 * - a request that began before a logout cannot bring the session back: its save is dropped, and its touch too
 * - two requests that change different properties of one session at once both keep theirs
 * - while the store is away every request with a cookie fails; it never goes on as a visitor without a session
 */
import { EventEmitter } from 'node:events';
import type { SessionDriver, SessionRecord } from './driver.ts';
import { mergeSaves } from './merge.ts';
import { DEFAULT_MAX_DATA_BYTES, dataText } from './session.ts';
import { TokenMint } from './token.ts';

/** As connect-redis: for cookies that have no expiry of their own. */
const DEFAULT_EXPRESS_IDLE_MS = 24 * 3_600_000;
const DEFAULT_EXPRESS_ABSOLUTE_MS = 30 * 24 * 3_600_000;
const TOUCH_EVERY_MS = 30_000;
const MERGE_ATTEMPTS = 10;

export interface SessionStoreOptions<Request, Stored extends ExpressSessionData, Live extends Stored> {
  /** The express-session module itself. */
  session: { Store: { readonly prototype: BaseStore<Request, Stored, Live> } };
  /** With an area of its own: `clear` ends every session of the area. */
  driver: SessionDriver;
  /** At least 32 random bytes, the same in every process. Not the secret of the cookie. */
  secret: Buffer;
  /** For cookies without `maxAge`; default a day. */
  idleMs?: number;
  /** Default 30 days: express-session has no such bound of its own. */
  absoluteMs?: number;
  /** A touch younger than this is not written down; default 30 s, and at most a quarter of the session's timeout. */
  touchEveryMs?: number;
  /** Default 64 KiB. */
  maxDataBytes?: number;
}

/** What express-session hands over: a plain object or its `Session`. */
export interface ExpressSessionData {
  cookie?: { expires?: Date | string | null | undefined; originalMaxAge?: number | null | undefined };
}

type Callback<T = void> = (error?: unknown, result?: T) => void;

/** What of express-session's `Store` is its own business: the request's `Session` object. */
interface BaseStore<Request, Stored, Live> {
  createSession(request: Request, session: Stored): Live;
  regenerate(request: Request, callback: (error?: unknown) => void): void;
  load(sid: string, callback: (error: unknown, session?: Stored) => void): void;
}

/** What a session object was made from, so that its save is known to build on it. */
interface Origin {
  version: number;
  text: string;
  /** The record's, when it was read; `undefined` for one that this process has written since. */
  life?: Pick<SessionRecord, 'seenAtMs' | 'expiresAtMs' | 'endsAtMs'>;
}

/** `Request`, `Stored` and `Live` follow from the express-session module. */
export class SessionStore<
  Request,
  Stored extends ExpressSessionData,
  Live extends Stored,
> extends EventEmitter {
  readonly #base: BaseStore<Request, Stored, Live>;
  readonly #driver: SessionDriver;
  readonly #mint: TokenMint;
  readonly #idleMs: number;
  readonly #absoluteMs: number;
  readonly #touchEveryMs: number;
  readonly #maxDataBytes: number;
  readonly #origins = new WeakMap<ExpressSessionData, Origin>();

  constructor(options: SessionStoreOptions<Request, Stored, Live>) {
    super();
    this.#base = options.session.Store.prototype;
    this.#driver = options.driver;
    this.#mint = new TokenMint(options.secret);
    this.#idleMs = options.idleMs ?? DEFAULT_EXPRESS_IDLE_MS;
    this.#absoluteMs = options.absoluteMs ?? DEFAULT_EXPRESS_ABSOLUTE_MS;
    this.#touchEveryMs = options.touchEveryMs ?? TOUCH_EVERY_MS;
    this.#maxDataBytes = options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES;
  }

  get(sid: string, callback: Callback<Stored | undefined>): void {
    settle(this.#get(sid), callback);
  }

  set(sid: string, session: Stored, callback?: Callback): void {
    settle(this.#set(sid, session), callback);
  }

  touch(sid: string, session: Stored, callback?: Callback): void {
    settle(this.#touch(sid, session), callback);
  }

  destroy(sid: string, callback?: Callback): void {
    settle(this.#destroy(sid), callback);
  }

  /** Every live session, without its id. Walks the whole area: for operators, not for requests. */
  all(callback: Callback<Stored[]>): void {
    settle(this.#all(), callback);
  }

  /** How many sessions are live. Walks the whole area. */
  length(callback: Callback<number>): void {
    settle(
      this.#all().then((sessions) => sessions.length),
      callback,
    );
  }

  /** Ends every session of the area. */
  clear(callback?: Callback): void {
    settle(this.#clear(), callback);
  }

  createSession(request: Request, data: Stored): Live {
    const session = this.#base.createSession.call(this, request, data);
    const origin = this.#origins.get(data);
    if (origin) this.#origins.set(session, origin);
    return session;
  }

  regenerate(request: Request, callback: Callback): void {
    this.#base.regenerate.call(this, request, callback);
  }

  load(sid: string, callback: Callback<Stored>): void {
    this.#base.load.call(this, sid, callback);
  }

  async #get(sid: string): Promise<Stored | undefined> {
    const verdict = await this.#driver.present(this.#mint.readForeign(sid), { kind: 'look' });
    if (verdict.kind !== 'live') return undefined;
    const { data, version, seenAtMs, expiresAtMs, endsAtMs } = verdict.record;
    const session = JSON.parse(data) as Stored;
    // A touch renews the expiry and leaves the data alone.
    if (session.cookie?.expires) session.cookie.expires = new Date(expiresAtMs).toISOString();
    this.#origins.set(session, { version, text: data, life: { seenAtMs, expiresAtMs, endsAtMs } });
    return session;
  }

  async #set(sid: string, session: ExpressSessionData): Promise<void> {
    const idleMs = this.#idleOf(session);
    if (idleMs <= 0) return await this.#destroy(sid);
    const text = dataText(session as Record<string, unknown>, this.#maxDataBytes);
    const origin = this.#origins.get(session);
    if (origin) return await this.#save(sid, session, origin, text, idleMs);
    const creation = await this.#driver.create({
      place: this.#mint.readForeign(sid),
      userId: null,
      data: text,
      idleMs,
      absoluteMs: this.#absoluteMs,
      address: null,
      agent: null,
      generation: null,
      maxPerUser: 1,
      whenFull: 'end_oldest',
    });
    if (creation.kind === 'created') this.#origins.set(session, { version: creation.record.version, text });
  }

  /** Saves what was read before. When another request saved since, both their changes are kept. */
  async #save(
    sid: string,
    session: ExpressSessionData,
    origin: Origin,
    text: string,
    idleMs: number,
  ): Promise<void> {
    const place = this.#mint.readForeign(sid);
    let { version } = origin;
    let data = text;
    for (let attempt = 0; attempt < MERGE_ATTEMPTS; attempt += 1) {
      const saved = await this.#driver.present(place, { kind: 'save', data, version, idleMs });
      if (saved.kind === 'live') this.#origins.set(session, { version: saved.record.version, text: data });
      // Ended meanwhile: what is left of it has no home.
      if (saved.kind !== 'conflict') return;
      const theirs = await this.#driver.present(place, { kind: 'look' });
      if (theirs.kind !== 'live') return;
      version = theirs.record.version;
      data = mergeSaves(session, { base: origin.text, mine: text, theirs: theirs.record.data });
    }
    throw new Error(`the session was saved by others ${MERGE_ATTEMPTS} times while this save was tried`);
  }

  async #touch(sid: string, session: ExpressSessionData): Promise<void> {
    const idleMs = this.#idleOf(session);
    if (idleMs <= 0) return await this.#destroy(sid);
    if (this.#isFresh(session, idleMs)) return;
    await this.#driver.present(this.#mint.readForeign(sid), {
      kind: 'touch',
      everyMs: this.#touchEveryMs,
      idleMs,
    });
  }

  /** Seen so lately that a touch would change nothing. A clock that differs from the store's leads to more touches, never to fewer. */
  #isFresh(session: ExpressSessionData, idleMs: number): boolean {
    const life = this.#origins.get(session)?.life;
    if (!life) return false;
    const { seenAtMs, expiresAtMs, endsAtMs } = life;
    if (expiresAtMs - seenAtMs !== idleMs && expiresAtMs !== endsAtMs) return false;
    const ageMs = Date.now() - seenAtMs;
    return ageMs >= 0 && ageMs < Math.min(this.#touchEveryMs, idleMs / 4);
  }

  async #destroy(sid: string): Promise<void> {
    await this.#driver.present(this.#mint.readForeign(sid), { kind: 'end' });
  }

  async #all(): Promise<Stored[]> {
    const sessions: Stored[] = [];
    const seen = new Set<string>();
    for await (const page of this.#driver.users()) {
      const lists = await Promise.all(page.map((user) => this.#driver.list(user, { withData: true })));
      for (const { id, data } of lists.flat()) {
        if (!seen.has(id)) sessions.push(JSON.parse(data) as Stored);
        seen.add(id);
      }
    }
    return sessions;
  }

  async #clear(): Promise<void> {
    for await (const page of this.#driver.users()) {
      // Nobody logs in to these: no generation needs remembering.
      await Promise.all(page.map((user) => this.#driver.revokeAll(user, 1)));
    }
  }

  /** Milliseconds; 0 or less when the cookie has expired. */
  #idleOf({ cookie }: ExpressSessionData): number {
    if (!cookie?.expires) return this.#idleMs;
    if (typeof cookie.originalMaxAge === 'number') return cookie.originalMaxAge;
    const leftMs = new Date(cookie.expires).getTime() - Date.now();
    // Whole seconds, or each touch would seem to change the timeout.
    return Math.ceil(leftMs / 1_000) * 1_000;
  }
}

/** express-session takes callbacks; what a callback throws is its own affair and is thrown where Node tells of it. */
function settle<T>(work: Promise<T>, callback: Callback<T> = () => undefined): void {
  work.then(
    (result) => setImmediate(callback, null, result),
    (error: unknown) => setImmediate(callback, error),
  );
}
