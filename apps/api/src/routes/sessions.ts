/** This file owns the answers about sessions. */
import type { ErrorCode, routes } from '@sluice/contract';
import { DomainError, stringifyCarrying } from '@sluice/runtime';
import type { NewSessionOptions, Session, SessionData, SessionSummary, Sessions } from '@sluice/session';
import type { Call, Handlers } from '../http/call.ts';
import { json, jsonText } from '../http/reply.ts';
import { rawQuery } from '../http/target.ts';

type SessionRoutes = Pick<
  typeof routes,
  | 'createSession'
  | 'readSession'
  | 'changeSession'
  | 'rotateSession'
  | 'endSession'
  | 'listSessions'
  | 'revokeSessions'
  | 'revokeSession'
>;

export function sessionHandlers(options: {
  sessions: Sessions;
  allowsQueryCredentials: boolean;
}): Handlers<SessionRoutes> {
  const { sessions } = options;
  const tokenOf = (call: Pick<Call, 'header' | 'target'>) =>
    sessionToken(call, options.allowsQueryCredentials);

  return {
    createSession: async ({ body }) => {
      const { token, session } = await sessions.create(newSession(body));
      return jsonText(201, sessionText(session, token));
    },
    readSession: async (call) => {
      const session = await sessions.read(tokenOf(call), { touch: call.query.touch ?? true });
      if (!session) throw noSession();
      return jsonText(200, sessionText(session));
    },
    changeSession: async (call) => {
      const { mode, version = null } = call.body;
      const data = call.body.data as SessionData;
      const token = tokenOf(call);
      const changed = await (mode === 'merge'
        ? sessions.patch(token, { data, version })
        : sessions.save(token, { data, version }));
      return jsonText(200, sessionText(changed));
    },
    rotateSession: async (call) => {
      const overlap = call.body?.overlap;
      const overlapMs = overlap === undefined ? {} : { overlapMs: overlap * 1_000 };
      const { token, session } = await sessions.rotate(tokenOf(call), overlapMs);
      return jsonText(200, sessionText(session, token));
    },
    endSession: async (call) => {
      await sessions.end(tokenOf(call));
      return json(200, { success: true });
    },
    listSessions: async ({ params }) => {
      // The generation first: a revocation between the two makes a login fail rather than outlive it.
      const generation = await sessions.generation(params.user_id);
      const listed = await sessions.list(params.user_id);
      return json(200, { resource: listed.map(summaryBody), meta: { count: listed.length, generation } });
    },
    revokeSessions: async (call) => {
      const userId = call.params.user_id;
      const revoked = call.query.except_current
        ? await revokeOthers(sessions, userId, tokenOf(call))
        : await sessions.revokeAll(userId);
      return json(200, { success: true, revoked });
    },
    revokeSession: async ({ params }) => {
      const isRevoked = await sessions.revoke(params.user_id, params.session_id);
      if (isRevoked) return json(200, { success: true });
      throw new DomainError<ErrorCode>(
        'session_not_found',
        `The user has no session '${params.session_id}'.`,
      );
    },
  };
}

async function revokeOthers(sessions: Sessions, userId: string, token: string): Promise<number> {
  const session = await sessions.read(token, { touch: false });
  if (session?.userId !== userId) throw noSession();
  return await sessions.revokeOthers(token);
}

/** The token of the header, or of the query where that is allowed. */
function sessionToken(call: Pick<Call, 'header' | 'target'>, allowsQuery: boolean): string {
  const token =
    call.header('x-dreamfactory-session-token') ??
    (allowsQuery ? new URLSearchParams(rawQuery(call.target)).get('session_token') : undefined);
  if (!token) throw noSession();
  return token;
}

/** DreamFactory's own sentence. */
function noSession(): DomainError<ErrorCode> {
  return new DomainError('session_token_invalid', 'There is no valid session for the current request.');
}

function newSession(body: Call<SessionRoutes['createSession']>['body']): NewSessionOptions {
  const { user_id, data, ttl, max_ttl, generation, replaces, address, agent } = body;
  return {
    userId: user_id,
    data: data === undefined ? {} : (data as SessionData),
    address: address ?? null,
    agent: agent ?? null,
    ...(ttl !== undefined && { idleMs: ttl * 1_000 }),
    ...(max_ttl !== undefined && { absoluteMs: max_ttl * 1_000 }),
    ...(generation !== undefined && { generation }),
    ...(replaces !== undefined && { replaces }),
  };
}

/** The data goes out to the letter. */
function sessionText(session: Session, token?: string): string {
  const { data, ...summary } = session;
  return stringifyCarrying({
    ...(token !== undefined && { session_token: token }),
    ...summaryBody(summary),
    data,
  });
}

function summaryBody(session: SessionSummary) {
  return {
    id: session.id,
    user_id: session.userId,
    version: session.version,
    created_at: new Date(session.createdAtMs).toISOString(),
    seen_at: new Date(session.seenAtMs).toISOString(),
    expires_at: new Date(session.expiresAtMs).toISOString(),
    ends_at: new Date(session.endsAtMs).toISOString(),
    address: session.address,
    agent: session.agent,
  };
}
