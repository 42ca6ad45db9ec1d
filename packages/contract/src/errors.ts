/** This file owns what an error code means in HTTP. A code of any domain that has no row here does not compile. */

import type { AccessErrorCode } from '@sluice/access/schemas';

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
  'batch_failed',
  'service_unknown',
  'cache_unavailable',
  'redis_unavailable',
  'outcome_unknown',
  'storage_full',
  'overloaded',
  'internal',
] as const;

export type DoorErrorCode = (typeof DOOR_ERROR_CODES)[number];

export type ErrorCode = DoorErrorCode | AccessErrorCode;

export const STATUS = {
  unauthenticated: 401,
  forbidden: 403,
  route_unknown: 404,
  method_not_allowed: 405,
  input_invalid: 400,
  json_invalid: 400,
  body_too_large: 413,
  content_type_unsupported: 415,
  batch_failed: 400,
  service_unknown: 404,
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
  too_many_keys: 409,
  secret_changed: 500,
} as const satisfies Record<ErrorCode, number>;
