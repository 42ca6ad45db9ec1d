/** This file owns the routes of sessions: made by a service that has checked who its user is, used by token, listed and revoked by user. */
import {
  sessionGenerationSchema,
  sessionIdSchema,
  sessionSecondsSchema,
  sessionTokenSchema,
  sessionVersionSchema,
  userIdSchema,
} from '@sluice/session/schemas';
import { z } from 'zod';
import { carriedJson } from '../carried.ts';
import { SESSION_TOKEN } from '../headers.ts';
import { queryFlag } from '../query.ts';
import { route } from '../route.ts';

const CURRENT = '/api/v2/sessions/current';
const OF_USER = '/api/v2/users/{user_id}/sessions';
const tag = 'sessions';

const instant = z.iso.datetime();
const data = z.record(z.string(), z.unknown()).meta({ description: 'The JSON object that was stored' });

const userId = z
  .union([userIdSchema, z.int().transform(String)])
  .meta({ description: 'Whatever names the user, 1 to 256 bytes', example: '42' });

const summary = {
  id: sessionIdSchema.meta({ description: 'Names the session in lists and logs; opens nothing' }),
  user_id: userIdSchema.nullable().meta({ description: 'null: a visitor who has not logged in' }),
  version: sessionVersionSchema.meta({ description: '1 when created; each change adds one' }),
  created_at: instant,
  seen_at: instant.meta({ description: 'The last use that was written down' }),
  expires_at: instant.meta({ description: 'When it ends if it is not used' }),
  ends_at: instant.meta({ description: 'When it ends whatever happens' }),
  address: z.string().nullable(),
  agent: z.string().nullable(),
};
const summaryView = z.object(summary);
const sessionView = z.object({ ...summary, data }).meta({ id: 'Session' });
const issuedView = z
  .object({
    session_token: sessionTokenSchema.meta({ description: 'Shown once; only its keyed hash is stored' }),
    ...summary,
    data,
  })
  .meta({ id: 'IssuedSession' });

const newSession = z.strictObject({
  user_id: userId.nullable().default(null),
  data: carriedJson.optional().meta({ type: 'object', description: 'A JSON object, default {}' }),
  ttl: sessionSecondsSchema
    .optional()
    .meta({ description: 'Seconds without use after which it ends; default 1800' }),
  max_ttl: sessionSecondsSchema
    .optional()
    .meta({ description: 'Seconds after which it ends in any case; default 43200' }),
  generation: sessionGenerationSchema.optional().meta({
    description:
      "The user's `generation` when the login began: when all sessions were revoked since, the answer is 409",
  }),
  replaces: sessionTokenSchema
    .optional()
    .meta({ description: 'The token in use before the login; its session ends' }),
  address: z.string().max(64).optional(),
  agent: z.string().max(256).optional(),
});

const change = z.strictObject({
  data: carriedJson.meta({ type: 'object', description: 'A JSON object' }),
  mode: z
    .enum(['merge', 'replace'])
    .default('merge')
    .meta({ description: 'merge: a JSON Merge Patch (RFC 7396)' }),
  version: sessionVersionSchema
    .optional()
    .meta({ description: 'Only when the session is at this version; else 409' }),
});

const rotation = z.strictObject({
  overlap: z
    .int()
    .min(0)
    .max(300)
    .optional()
    .meta({ description: 'Seconds for which the old token is still honoured; default 10' }),
});

const read = { area: 'sessions', verb: 'read' } as const;
const write = { area: 'sessions', verb: 'write' } as const;
const usesData = ['session_data_invalid', 'session_data_too_large', 'storage_busy'] as const;
const done = z.object({ success: z.literal(true) });

export const sessions = {
  createSession: route({
    id: 'createSession',
    method: 'post',
    path: '/api/v2/sessions',
    tag,
    summary: 'Make a session for a user who has logged in',
    access: write,
    body: { schema: newSession, carried: ['data'] },
    replies: { 201: { description: 'The session and its token', schema: issuedView } },
    errors: [...usesData, 'session_revoked', 'session_limit_reached'],
  }),
  readSession: route({
    id: 'readSession',
    method: 'get',
    path: CURRENT,
    tag,
    summary: 'The session of X-DreamFactory-Session-Token, its expiry renewed',
    access: read,
    headers: SESSION_TOKEN,
    query: z.object({
      touch: queryFlag.meta({ type: 'boolean', description: 'false: leave the expiry alone', default: true }),
    }),
    replies: { 200: { description: 'The live session', schema: sessionView } },
    errors: ['session_token_invalid', 'storage_busy'],
  }),
  changeSession: route({
    id: 'changeSession',
    method: 'patch',
    path: CURRENT,
    tag,
    summary: 'Change the data of the session; no change made at the same time is lost',
    access: write,
    headers: SESSION_TOKEN,
    body: { schema: change, carried: ['data'] },
    replies: { 200: { description: 'The session as it is now', schema: sessionView } },
    errors: [...usesData, 'session_token_invalid', 'session_conflict'],
  }),
  rotateSession: route({
    id: 'rotateSession',
    method: 'put',
    path: CURRENT,
    tag,
    summary: 'Give the session a new token, as at every change of privilege',
    access: write,
    headers: SESSION_TOKEN,
    body: { schema: rotation, isOptional: true },
    replies: { 200: { description: 'The session and its new token', schema: issuedView } },
    errors: ['session_token_invalid', 'session_superseded', 'storage_busy'],
  }),
  endSession: route({
    id: 'endSession',
    method: 'delete',
    path: CURRENT,
    tag,
    summary: 'Log out; a session that has ended already is no error',
    access: write,
    headers: SESSION_TOKEN,
    replies: { 200: { description: 'Ended', schema: done } },
    errors: ['session_token_invalid', 'storage_busy'],
  }),
  listSessions: route({
    id: 'listSessions',
    method: 'get',
    path: OF_USER,
    tag,
    summary: 'The live sessions of a user, the last used first',
    access: read,
    params: z.object({ user_id: userIdSchema }),
    replies: {
      200: {
        description: 'Sessions without data or tokens',
        schema: z.object({
          resource: z.array(summaryView),
          meta: z.object({
            count: z.int(),
            generation: sessionGenerationSchema.meta({
              description: 'How often all sessions were revoked: take it before a login',
            }),
          }),
        }),
      },
    },
  }),
  revokeSessions: route({
    id: 'revokeSessions',
    method: 'delete',
    path: OF_USER,
    tag,
    summary: 'End all sessions of a user in one step, logins under way included',
    access: write,
    headers: SESSION_TOKEN,
    params: z.object({ user_id: userIdSchema }),
    query: z.object({
      except_current: queryFlag.meta({
        type: 'boolean',
        description: 'Spare the session of X-DreamFactory-Session-Token, which must be of this user',
      }),
    }),
    replies: {
      200: {
        description: 'How many were live',
        schema: z.object({ success: z.literal(true), revoked: z.int() }),
      },
    },
    errors: ['session_token_invalid', 'storage_busy'],
  }),
  revokeSession: route({
    id: 'revokeSession',
    method: 'delete',
    path: `${OF_USER}/{session_id}`,
    tag,
    summary: 'End one session of a user by its id',
    access: write,
    params: z.object({ user_id: userIdSchema, session_id: sessionIdSchema }),
    replies: { 200: { description: 'Ended', schema: done } },
    errors: ['session_not_found', 'storage_busy'],
  }),
};
