/**
 * This file owns sessions: made, read, saved, rotated and ended by token; listed and revoked by user.
 *
 * ```
 *            create                 rotate: new token, old one good for the overlap
 *   nobody ─────────▶ live ◀──────────┐
 *                      │ └────────────┘
 *                      │ read, save: renews the idle timeout, never past the absolute one
 *                      ▼
 *   idle · absolute timeout · end · revoke · revokeAll        nothing leads back
 * ```
 *
 * When the store is away every call rejects with the store's own error (`redisFault` names it): nothing is ever taken
 * for live on the strength of what was known before. Nothing is kept in this process.
 */
import { JsonText, type Log, mergePatch } from '@sluice/runtime';
import type { Deed, SessionDriver, SessionRecord, WhenFull } from './driver.ts';
import {
  checkMs,
  checkUserId,
  DEFAULT_ABSOLUTE_MS,
  DEFAULT_IDLE_MS,
  DEFAULT_MAX_PER_USER,
  DEFAULT_OVERLAP_MS,
  MAX_ADDRESS_CHARACTERS,
  MAX_AGENT_CHARACTERS,
  MIN_TOUCH_EVERY_MS,
  type NewSessionOptions,
  type SessionsOptions,
} from './options.ts';
import {
  DEFAULT_MAX_DATA_BYTES,
  dataText,
  type Session,
  type SessionData,
  type SessionSummary,
  sessionError,
  sessionOf,
  summaryOf,
} from './session.ts';
import { type PresentedToken, TokenMint } from './token.ts';

/** With this many at once, the slowest of that many writers is through. */
const UPDATE_ATTEMPTS = 10;

export interface IssuedSession {
  /** Shown once; only its keyed hash is stored. */
  token: string;
  session: Session;
}

export type SessionCounts = Readonly<
  Record<'created' | 'read' | 'refused' | 'rotated' | 'reused' | 'ended' | 'revoked', number>
>;

export class Sessions {
  readonly #driver: SessionDriver;
  readonly #mint: TokenMint;
  readonly #idleMs: number;
  readonly #absoluteMs: number;
  readonly #touchEveryMs: number;
  readonly #overlapMs: number;
  readonly #maxPerUser: number;
  readonly #whenFull: WhenFull;
  readonly #maxDataBytes: number;
  readonly #log: Log | undefined;
  readonly #counts = { created: 0, read: 0, refused: 0, rotated: 0, reused: 0, ended: 0, revoked: 0 };

  /** Throws `TypeError` for a short secret or a number out of range. */
  constructor(options: SessionsOptions) {
    this.#driver = options.driver;
    this.#mint = new TokenMint(options.secret);
    this.#idleMs = checkMs('idleMs', options.idleMs ?? DEFAULT_IDLE_MS);
    this.#absoluteMs = checkMs('absoluteMs', options.absoluteMs ?? DEFAULT_ABSOLUTE_MS);
    this.#touchEveryMs = options.touchEveryMs ?? Math.max(MIN_TOUCH_EVERY_MS, this.#idleMs / 10);
    this.#overlapMs = options.overlapMs ?? DEFAULT_OVERLAP_MS;
    this.#maxPerUser = options.maxPerUser ?? DEFAULT_MAX_PER_USER;
    if (!(Number.isInteger(this.#maxPerUser) && this.#maxPerUser >= 1 && this.#maxPerUser <= 1_000)) {
      throw new TypeError(`maxPerUser is a whole number from 1 to 1000, not ${this.#maxPerUser}`);
    }
    this.#whenFull = options.whenFull ?? 'end_oldest';
    this.#maxDataBytes = options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES;
    this.#log = options.log;
  }

  /** What this process did; `refused` counts tokens without a live session, `reused` those of them that were replaced. */
  get counts(): SessionCounts {
    return this.#counts;
  }

  /**
   * Makes a session with a fresh token. Throws `session_revoked`, `session_limit_reached` (only when the store refuses
   * rather than ends the oldest), `session_data_invalid`, `session_data_too_large`.
   */
  async create(options: NewSessionOptions): Promise<IssuedSession> {
    const { userId, replaces } = options;
    if (userId !== null) checkUserId(userId);
    const { token, presented } = this.#mint.mint(this.#mint.userTag(userId));
    const creation = await this.#driver.create({
      place: presented,
      userId,
      data: dataText(options.data ?? {}, this.#maxDataBytes),
      idleMs: checkMs('idleMs', options.idleMs ?? this.#idleMs),
      absoluteMs: checkMs('absoluteMs', options.absoluteMs ?? this.#absoluteMs),
      address: options.address?.slice(0, MAX_ADDRESS_CHARACTERS) ?? null,
      agent: options.agent?.slice(0, MAX_AGENT_CHARACTERS) ?? null,
      generation: options.generation ?? null,
      maxPerUser: this.#maxPerUser,
      whenFull: this.#whenFull,
    });
    switch (creation.kind) {
      case 'full':
        throw sessionError(
          'session_limit_reached',
          `The user has ${this.#maxPerUser} sessions, as many as are allowed.`,
        );
      case 'revoked':
        throw sessionError(
          'session_revoked',
          'All sessions of the user were revoked while the login was under way.',
          {
            generation: creation.generation,
          },
        );
      case 'created':
        // Should the old one fail to end, this one is never told to anybody.
        if (replaces !== undefined) await this.end(replaces);
        this.#counts.created += 1;
        this.#log?.info({ sessionId: creation.record.id }, 'session created');
        return { token, session: sessionOf(creation.record) };
    }
  }

  /** The live session of `token`, its idle timeout renewed; `undefined` when there is none. `touch: false` renews nothing. */
  async read(token: string, { touch = true }: { touch?: boolean } = {}): Promise<Session | undefined> {
    const deed: Deed = touch
      ? { kind: 'touch', everyMs: this.#touchEveryMs, idleMs: null }
      : { kind: 'look' };
    const presented = this.#mint.read(token);
    if (!presented) {
      this.#counts.refused += 1;
      return undefined;
    }
    const verdict = await this.#driver.present(presented, deed);
    this.#counts[verdict.kind === 'live' ? 'read' : 'refused'] += 1;
    if (verdict.kind === 'reused') this.#tellReuse(presented);
    return verdict.kind === 'live' ? sessionOf(verdict.record) : undefined;
  }

  /**
   * Replaces the data of a session that is live and still at `version`; `null` replaces whatever is there. Throws
   * `session_token_invalid` (it never brings an ended session back) and `session_conflict` with the stored `version`.
   */
  async save(
    token: string,
    { data, version }: { data: SessionData; version: number | null },
  ): Promise<Session> {
    const text = dataText(data, this.#maxDataBytes);
    const { record } = await this.#demand(token, { kind: 'save', data: text, version, idleMs: null });
    return sessionOf(record);
  }

  /**
   * Changes the data by a function of what is stored, and does it again on the newer state when another save came
   * between: no change is lost. `change` may run up to 10 times, then `session_conflict`. Throws `session_token_invalid`.
   */
  async update(
    token: string,
    change: (data: Record<string, unknown>, session: Session) => SessionData | Promise<SessionData>,
  ): Promise<Session> {
    let stored = 0;
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt += 1) {
      const session = sessionOf((await this.#demand(token, { kind: 'look' })).record);
      const data = await change(session.data.toJSON() as Record<string, unknown>, session);
      const text = dataText(data, this.#maxDataBytes);
      const verdict = await this.#judge(token, {
        kind: 'save',
        data: text,
        version: session.version,
        idleMs: null,
      });
      if (verdict.kind === 'live') return sessionOf(verdict.record);
      stored = verdict.version;
    }
    throw conflict(stored);
  }

  /**
   * Changes the data by a JSON Merge Patch (RFC 7396); what it does not name keeps its spelling. With a `version`, only
   * on that one. Errors as `update`, and of the data.
   */
  async patch(
    token: string,
    { data, version }: { data: SessionData; version: number | null },
  ): Promise<Session> {
    const text = dataText(data, this.#maxDataBytes);
    return await this.update(token, (_, session) => {
      if (version !== null && version !== session.version) throw conflict(session.version);
      return new JsonText(mergePatch(session.data.text, text));
    });
  }

  /**
   * Gives the session a new token, to be done at every change of privilege. The old one stays good for `overlapMs`
   * (default the store's), can save and end but not rotate: then `session_superseded`. Throws `session_token_invalid`.
   */
  async rotate(
    token: string,
    { overlapMs = this.#overlapMs }: { overlapMs?: number } = {},
  ): Promise<IssuedSession> {
    const current = this.#mint.read(token);
    if (!current) throw notFound();
    const next = this.#mint.mint(current.user, current.id);
    const { record } = await this.#demand(token, {
      kind: 'rotate',
      nextHash: next.presented.hash,
      overlapMs,
    });
    this.#counts.rotated += 1;
    this.#log?.info({ sessionId: record.id }, 'session rotated');
    return { token: next.token, session: sessionOf(record) };
  }

  /** Logs out. False when there was no live session: it is ended either way. */
  async end(token: string): Promise<boolean> {
    const presented = this.#mint.read(token);
    if (!presented) return false;
    const verdict = await this.#driver.present(presented, { kind: 'end' });
    if (verdict.kind !== 'live') return false;
    this.#counts.ended += 1;
    this.#log?.info({ sessionId: presented.id }, 'session ended');
    return true;
  }

  /** The live sessions of a user, the last used first. */
  async list(userId: string): Promise<SessionSummary[]> {
    const records = await this.#driver.list(this.#tagOf(userId));
    return records.map(summaryOf).sort((a, b) => b.seenAtMs - a.seenAtMs || b.createdAtMs - a.createdAtMs);
  }

  /** How often all sessions of the user were revoked. To be asked before the password is looked at; see `create`. */
  async generation(userId: string): Promise<number> {
    return await this.#driver.generation(this.#tagOf(userId));
  }

  /** Ends one session of the user by its id; false when the user has no such session. */
  async revoke(userId: string, sessionId: string): Promise<boolean> {
    const isRevoked = await this.#driver.revoke({ user: this.#tagOf(userId), id: sessionId });
    if (!isRevoked) return false;
    this.#counts.revoked += 1;
    this.#log?.info({ sessionId }, 'session revoked');
    return true;
  }

  /**
   * Ends every session of the token's user but its own, logins under way included; answers how many were ended. To be
   * done after a change of password. Throws `session_token_invalid`.
   */
  async revokeOthers(token: string): Promise<number> {
    const { record, ended } = await this.#demand(token, {
      kind: 'revoke_others',
      memoryMs: this.#absoluteMs,
    });
    this.#counts.revoked += ended;
    this.#log?.info({ sessionId: record.id, ended }, 'other sessions revoked');
    return ended;
  }

  /** Ends all sessions of the user, logins under way included, in one step; answers how many were live. */
  async revokeAll(userId: string): Promise<number> {
    const ended = await this.#driver.revokeAll(this.#tagOf(userId), this.#absoluteMs);
    this.#counts.revoked += ended;
    this.#log?.info({ ended }, 'sessions of a user revoked');
    return ended;
  }

  /** Ends all sessions of all users that had any when the call began, user by user; answers how many were live. */
  async revokeEveryone(): Promise<number> {
    let ended = 0;
    for await (const page of this.#driver.users()) {
      const counts = await Promise.all(page.map((user) => this.#driver.revokeAll(user, this.#absoluteMs)));
      for (const count of counts) ended += count;
    }
    this.#counts.revoked += ended;
    this.#log?.warn({ ended }, 'sessions of everyone revoked');
    return ended;
  }

  /** Like `#judge`, for deeds that know no conflict or where it is the caller's. */
  async #demand(token: string, deed: Deed): Promise<{ record: SessionRecord; ended: number }> {
    const verdict = await this.#judge(token, deed);
    if (verdict.kind === 'conflict') throw conflict(verdict.version);
    return verdict;
  }

  async #judge(token: string, deed: Deed) {
    const presented = this.#mint.read(token);
    if (!presented) throw notFound();
    const verdict = await this.#driver.present(presented, deed);
    switch (verdict.kind) {
      case 'live':
      case 'conflict':
        return verdict;
      case 'superseded':
        throw sessionError(
          'session_superseded',
          'The session has a newer token already; this one ends shortly.',
        );
      case 'reused':
        this.#tellReuse(presented);
        throw notFound();
      case 'absent':
        throw notFound();
    }
  }

  #tagOf(userId: string): string {
    checkUserId(userId);
    return this.#mint.userTag(userId);
  }

  #tellReuse({ id }: PresentedToken): void {
    this.#counts.reused += 1;
    this.#log?.warn({ sessionId: id }, 'replaced session token shown again');
  }
}

function notFound() {
  return sessionError('session_token_invalid', 'There is no live session for this token.');
}

function conflict(version: number) {
  return sessionError('session_conflict', `The session was saved by another and is at version ${version}.`, {
    version,
  });
}
