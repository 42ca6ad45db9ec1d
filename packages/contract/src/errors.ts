/** This file owns what an error code means in HTTP. A code of any domain that has no row here does not compile. */

import type { AccessErrorCode } from '@sluice/access/schemas';
import type { CacheErrorCode } from '@sluice/cache/schemas';
import type { ChannelErrorCode } from '@sluice/channel/schemas';
import type { DeliveryErrorCode } from '@sluice/delivery/schemas';
import type { JobsErrorCode } from '@sluice/jobs/schemas';
import type { LimitErrorCode } from '@sluice/rate-limit/schemas';
import type { SessionErrorCode } from '@sluice/session/schemas';
import type { SystemErrorCode } from '@sluice/system/schemas';

/** Codes that the door itself raises, before or around a handler. */
export const DOOR_ERROR_CODES = [
  'unauthenticated',
  'forbidden',
  'route_unknown',
  'method_not_allowed',
  'input_invalid',
  'json_invalid',
  'body_too_large',
  'content_type_unsupported',
  'quota_payload_exceeded',
  'batch_failed',
  'service_unknown',
  'not_confirmed',
  'cache_unavailable',
  'redis_unavailable',
  'outcome_unknown',
  'storage_full',
  'overloaded',
  'internal',
] as const;

export type DoorErrorCode = (typeof DOOR_ERROR_CODES)[number];

export type ErrorCode =
  | DoorErrorCode
  | AccessErrorCode
  | CacheErrorCode
  | ChannelErrorCode
  | DeliveryErrorCode
  | JobsErrorCode
  | LimitErrorCode
  | SessionErrorCode
  | SystemErrorCode;

export const STATUS = {
  unauthenticated: 401,
  forbidden: 403,
  route_unknown: 404,
  method_not_allowed: 405,
  input_invalid: 400,
  json_invalid: 400,
  body_too_large: 413,
  content_type_unsupported: 415,
  quota_payload_exceeded: 413,
  batch_failed: 400,
  service_unknown: 404,
  not_confirmed: 400,
  // The published page's own status for a cache whose Redis is away or refuses us.
  cache_unavailable: 500,
  redis_unavailable: 503,
  outcome_unknown: 503,
  storage_full: 507,
  overloaded: 503,
  internal: 500,
  key_invalid: 400,
  key_unknown: 404,
  key_ended: 409,
  key_changed: 409,
  last_admin_key: 409,
  too_many_keys: 409,
  secret_changed: 500,
  key_not_found: 404,
  key_exists: 409,
  // DreamFactory's own answer to a map of which a key is there.
  keys_exist: 400,
  ttl_invalid: 400,
  value_invalid: 400,
  value_too_large: 413,
  tag_invalid: 400,
  etag_mismatch: 412,
  not_an_integer: 409,
  cursor_invalid: 400,
  cache_lease_lost: 409,
  load_timeout: 503,
  flush_denied: 403,
  flush_unconfirmed: 400,
  storage_busy: 503,
  job_invalid: 400,
  job_not_found: 404,
  queue_not_found: 404,
  scheduler_not_found: 404,
  job_not_in_state: 409,
  job_locked: 409,
  idempotency_mismatch: 422,
  batch_refused: 400,
  queue_not_paused: 409,
  queue_active: 409,
  flow_spans_slots: 400,
  quota_backlog_exceeded: 429,
  durability_refused: 409,
  durability_unavailable: 503,
  durability_not_confirmed: 503,
  waiters_full: 503,
  lease_refused: 403,
  lease_lost: 409,
  policy_unknown: 404,
  rate_limited: 429,
  limit_unavailable: 503,
  session_token_invalid: 401,
  session_not_found: 404,
  session_conflict: 409,
  session_superseded: 409,
  session_revoked: 409,
  session_limit_reached: 409,
  session_data_too_large: 413,
  session_data_invalid: 400,
  csrf_refused: 403,
  channel_message_too_large: 413,
  channel_position_invalid: 400,
  channel_readers_full: 503,
  channel_readers_of_key_full: 429,
  delivery_invalid: 400,
  delivery_conflict: 409,
  endpoint_not_found: 404,
  endpoint_gone: 409,
  endpoint_secrets_full: 409,
  endpoints_full: 409,
  target_not_found: 404,
  targets_full: 409,
  record_invalid: 400,
  record_unknown: 404,
  name_taken: 409,
  record_read_only: 409,
  record_changed: 409,
  version_mismatch: 412,
  too_many_records: 409,
} as const satisfies Record<ErrorCode, number>;
