/**
 * This file owns the rules of one user's sessions as pure functions over a record: what `lua/` says to Redis, said once
 * more for a store that can only read and write. One suite and one model test hold both to the same answers.
 */
import type { Creation, Deed, NewSession, SessionRecord, Verdict } from './driver.ts';
import type { PresentedToken } from './token.ts';

export interface Ledger {
  generation: number;
  /** When nothing of it matters any more: no session lives and no login can still be under way. */
  forgottenAtMs: number;
  sessions: Record<string, LedgerSession>;
}

export interface LedgerSession extends SessionRecord {
  hash: string;
  idleMs: number;
  generation: number;
  previousHash: string | null;
  overlapEndsAtMs: number;
}

export function newLedger(): Ledger {
  return { generation: 0, forgottenAtMs: 0, sessions: {} };
}

/** Enters a session into `ledger`. */
export function enter(ledger: Ledger, session: NewSession, nowMs: number): Creation {
  if (session.generation !== null && session.generation !== ledger.generation) {
    return { kind: 'revoked', generation: ledger.generation };
  }
  for (const [id, { expiresAtMs }] of Object.entries(ledger.sessions)) {
    if (expiresAtMs <= nowMs || id === session.place.id) delete ledger.sessions[id];
  }
  const live = Object.values(ledger.sessions);
  if (live.length >= session.maxPerUser) {
    if (session.whenFull === 'refuse') return { kind: 'full' };
    live.sort((a, b) => a.expiresAtMs - b.expiresAtMs || (a.id < b.id ? -1 : 1));
    for (const { id } of live.slice(0, live.length - session.maxPerUser + 1)) delete ledger.sessions[id];
  }
  const endsAtMs = nowMs + session.absoluteMs;
  const record: SessionRecord = {
    id: session.place.id,
    userId: session.userId,
    data: session.data,
    version: 1,
    createdAtMs: nowMs,
    seenAtMs: nowMs,
    expiresAtMs: Math.min(nowMs + session.idleMs, endsAtMs),
    endsAtMs,
    address: session.address,
    agent: session.agent,
  };
  ledger.sessions[record.id] = {
    ...record,
    hash: session.place.hash,
    idleMs: session.idleMs,
    generation: ledger.generation,
    previousHash: null,
    overlapEndsAtMs: 0,
  };
  ledger.forgottenAtMs = Math.max(ledger.forgottenAtMs, record.expiresAtMs);
  return { kind: 'created', record };
}

/** Judges a token, and does the deed in `ledger` when it is live. */
export function judge(ledger: Ledger, token: PresentedToken, deed: Deed, nowMs: number): Verdict {
  const session = ledger.sessions[token.id];
  if (!session || session.expiresAtMs <= nowMs || session.generation !== ledger.generation)
    return { kind: 'absent' };
  const isSuperseded = session.hash !== token.hash;
  if (isSuperseded && session.previousHash !== token.hash) return { kind: 'absent' };
  if (isSuperseded && session.overlapEndsAtMs <= nowMs) return { kind: 'reused' };

  const renew = (idleMs: number | null) => {
    session.idleMs = idleMs ?? session.idleMs;
    session.seenAtMs = nowMs;
    session.expiresAtMs = Math.min(nowMs + session.idleMs, session.endsAtMs);
    ledger.forgottenAtMs = Math.max(ledger.forgottenAtMs, session.expiresAtMs);
  };
  let ended = 0;
  switch (deed.kind) {
    case 'look':
      break;
    case 'touch':
      if (isTouchDue(session, deed, nowMs)) renew(deed.idleMs);
      break;
    case 'save':
      if (deed.version !== null && deed.version !== session.version)
        return { kind: 'conflict', version: session.version };
      session.version += 1;
      session.data = deed.data;
      renew(deed.idleMs);
      break;
    case 'rotate':
      if (isSuperseded) return { kind: 'superseded' };
      session.previousHash = session.hash;
      session.overlapEndsAtMs = nowMs + deed.overlapMs;
      session.hash = deed.nextHash;
      renew(null);
      break;
    case 'end':
      delete ledger.sessions[token.id];
      ended = 1;
      break;
    case 'revoke_others':
      ended = Object.keys(ledger.sessions).length - 1;
      ledger.generation += 1;
      session.generation = ledger.generation;
      ledger.sessions = { [token.id]: session };
      ledger.forgottenAtMs = Math.max(ledger.forgottenAtMs, nowMs + deed.memoryMs);
      break;
  }
  return { kind: 'live', record: recordOf(session), ended };
}

/** Ends every session in `ledger`; answers how many were live. */
export function strikeAll(ledger: Ledger, memoryMs: number, nowMs: number): number {
  const ended = liveSessions(ledger, nowMs).length;
  ledger.generation += 1;
  ledger.sessions = {};
  ledger.forgottenAtMs = Math.max(ledger.forgottenAtMs, nowMs + memoryMs);
  return ended;
}

export function liveSessions(ledger: Ledger, nowMs: number): SessionRecord[] {
  return Object.values(ledger.sessions)
    .filter(({ expiresAtMs }) => expiresAtMs > nowMs)
    .map(recordOf);
}

/** False when a new ledger would answer the same: no session lives, and no login that a revocation must stop is under way. */
export function isNeeded(ledger: Ledger, nowMs: number): boolean {
  if (ledger.forgottenAtMs <= nowMs) return false;
  return ledger.generation > 0 || Object.keys(ledger.sessions).length > 0;
}

/** True when `deed` would leave the ledger as it is. */
export function isReading(ledger: Ledger, token: PresentedToken, deed: Deed, nowMs: number): boolean {
  if (deed.kind === 'look') return true;
  const session = ledger.sessions[token.id];
  return session === undefined || (deed.kind === 'touch' && !isTouchDue(session, deed, nowMs));
}

function isTouchDue(session: LedgerSession, deed: Deed & { kind: 'touch' }, nowMs: number): boolean {
  // A session with a short idle timeout is renewed more often, or use would not keep it alive.
  const everyMs = Math.min(deed.everyMs, session.idleMs / 4);
  return nowMs - session.seenAtMs >= everyMs || (deed.idleMs !== null && deed.idleMs !== session.idleMs);
}

function recordOf(session: LedgerSession): SessionRecord {
  const { id, userId, data, version, createdAtMs, seenAtMs, expiresAtMs, endsAtMs, address, agent } = session;
  return { id, userId, data, version, createdAtMs, seenAtMs, expiresAtMs, endsAtMs, address, agent };
}
