/** This file owns the examples of what services share beside caches and jobs: limits, sessions, channels. */
import type { Examples } from '../example.ts';
import type { channels as channelRoutes } from '../routes/channels.ts';
import type { limits as limitRoutes } from '../routes/limits.ts';
import type { sessions as sessionRoutes } from '../routes/sessions.ts';

const mail = { params: { policy: 'mail' } };
const orders = { params: { channel: 'orders' } };
const user_id = '42';
const current = { headers: { 'X-DreamFactory-Session-Token': '$SESSION_TOKEN' } };
const quota = {
  policy: 'mail',
  allowed: true,
  limit: 100,
  remaining: 99,
  retry_after_ms: 0,
  reset_after_ms: 3_600_000,
  decided_by: 'redis' as const,
};
const summary = {
  id: '$SESSION_ID',
  user_id,
  version: 1,
  created_at: '2026-01-01T00:00:00.000Z',
  seen_at: '2026-01-01T00:00:00.000Z',
  expires_at: '2026-01-01T00:30:00.000Z',
  ends_at: '2026-01-01T12:00:00.000Z',
  address: '203.0.113.7',
  agent: null,
};
const data = { cart: ['book'] };

export const sharingExamples: Examples<typeof limitRoutes & typeof sessionRoutes & typeof channelRoutes> = {
  consumeLimit: {
    ...mail,
    body: { key: 'ada@example.com', cost: 1 },
    reply: { ...quota, taken_at_ms: 1_767_225_600_000 },
  },
  peekLimit: { ...mail, query: { key: 'ada@example.com', cost: '1' }, reply: quota },
  refundLimit: {
    ...mail,
    body: { key: 'ada@example.com', cost: 1, taken_at_ms: 1_767_225_600_000 },
    reply: { success: true },
  },
  createSession: {
    body: { user_id, data, ttl: 1_800, address: '203.0.113.7' },
    reply: { session_token: '$SESSION_TOKEN', ...summary, data },
  },
  readSession: { ...current, reply: { ...summary, data } },
  changeSession: {
    ...current,
    body: { data: { theme: 'dark' } },
    reply: { ...summary, version: 2, data: { ...data, theme: 'dark' } },
  },
  rotateSession: {
    ...current,
    body: { overlap: 10 },
    reply: { session_token: '$SESSION_TOKEN', ...summary, data },
  },
  listSessions: {
    params: { user_id },
    reply: { resource: [summary], meta: { count: 1, generation: 0 } },
  },
  publishMessage: {
    ...orders,
    body: { message: { order: 1001 }, keep: { count: 100, seconds: 3_600 } },
    reply: { success: true, id: '1767225600000-0' },
  },
  subscribeChannel: {
    ...orders,
    query: { last_event_id: '0' },
    reply: 'id: 1767225600000-0\ndata: {"order":1001}\n\n',
  },
  resetLimit: { ...mail, query: { key: 'ada@example.com' }, reply: { success: true } },
  endSession: { ...current, reply: { success: true } },
  revokeSession: { params: { user_id, session_id: '$SESSION_ID' }, reply: { success: true } },
  revokeSessions: { params: { user_id }, reply: { success: true, revoked: 1 } },
};
