/** This file owns the one error envelope: any thrown thing to status, body and headers. What is not ours is told by id only. */
import { BATCH_ERROR_CODE, type ErrorCode, type ErrorEnvelope, STATUS } from '@sluice/contract';
import { type RedisFaultKind, redisFault } from '@sluice/redis';
import { DeadlineError, DomainError, type ErrorDetails } from '@sluice/runtime';
import { JSON_TYPE, type Reply } from './reply.ts';

/** Seconds after which a client may try again when Redis is away: ioredis reconnects at most a second apart. */
const RETRY_AFTER_SECONDS = '1';
/** A place comes free when another reader goes, which no one can tell. */
const READER_RETRY_AFTER_SECONDS = '10';

/** Headers that a code brings; the values come from the error's details. */
const HEADERS: Partial<Record<ErrorCode, (details: ErrorDetails) => Record<string, string>>> = {
  unauthenticated: () => ({ 'WWW-Authenticate': 'Bearer' }),
  session_token_invalid: () => ({ 'WWW-Authenticate': 'Session' }),
  method_not_allowed: ({ allow }) => ({ Allow: String(allow) }),
  cache_unavailable: () => ({ 'Retry-After': RETRY_AFTER_SECONDS }),
  redis_unavailable: () => ({ 'Retry-After': RETRY_AFTER_SECONDS }),
  outcome_unknown: () => ({ 'Retry-After': RETRY_AFTER_SECONDS }),
  channel_readers_full: () => ({ 'Retry-After': READER_RETRY_AFTER_SECONDS }),
  channel_readers_of_key_full: () => ({ 'Retry-After': READER_RETRY_AFTER_SECONDS }),
  quota_backlog_exceeded: () => ({ 'Retry-After': RETRY_AFTER_SECONDS }),
  durability_unavailable: () => ({ 'Retry-After': RETRY_AFTER_SECONDS }),
  durability_not_confirmed: () => ({ 'Retry-After': RETRY_AFTER_SECONDS }),
  overloaded: () => ({ 'Retry-After': RETRY_AFTER_SECONDS }),
  limit_unavailable: () => ({ 'Retry-After': RETRY_AFTER_SECONDS }),
  rate_limited: ({ retry_after_ms: ms }) =>
    typeof ms === 'number' ? { 'Retry-After': String(Math.ceil(ms / 1_000)) } : {},
};

/** One item's failure inside a batch: the envelope's inside. */
export function failureBody(error: unknown, requestId: string): ErrorEnvelope['error'] {
  const { status, reason, known } = describe(error, requestId);
  return {
    code: reason === 'batch_failed' ? BATCH_ERROR_CODE : status,
    context: { reason, request_id: requestId, ...known.details },
    message: known.message,
    status_code: status,
  };
}

/** The answer to a thrown error. `isOurs` is false when nobody expected it: it belongs in the log with its stack. */
export function failure(
  error: unknown,
  requestId: string,
): { reply: Reply; reason: ErrorCode; isOurs: boolean } {
  const { status, reason, known, isOurs } = describe(error, requestId);
  const headers = { 'Content-Type': JSON_TYPE, ...HEADERS[reason]?.(known.details ?? {}) };
  return {
    reply: { status, body: JSON.stringify({ error: failureBody(error, requestId) }), headers },
    reason,
    isOurs,
  };
}

function describe(error: unknown, requestId: string) {
  const expected = asDomainError(error);
  const known =
    expected ??
    new DomainError<ErrorCode>(
      'internal',
      `Something went wrong on our side; request ${requestId} names it in our log.`,
    );
  const reason = known.code in STATUS ? (known.code as ErrorCode) : 'internal';
  return { known, reason, status: statusOf(known, reason), isOurs: expected !== undefined };
}

/** The one error whose status its cause may choose: a cache service's option `unavailable_status`. */
function statusOf(error: DomainError, reason: ErrorCode): number {
  if (
    reason === 'cache_unavailable' &&
    error.details?.outcome !== undefined &&
    error.cause instanceof UnavailableStatus
  ) {
    return error.cause.status;
  }
  return STATUS[reason];
}

/** Carries a service's own status for `cache_unavailable`. */
export class UnavailableStatus extends Error {
  readonly status: 500 | 503;

  constructor(status: 500 | 503, cause: unknown) {
    super('the cache service is unavailable', { cause });
    this.status = status;
  }
}

/** What a thrown thing means to a caller; `undefined` when nobody expected it. */
export function asDomainError(error: unknown): DomainError | undefined {
  if (error instanceof DomainError) return error;
  const fault = redisFault(error);
  if (fault) return redisAway(fault.kind, fault.outcome, error);
  if (error instanceof DeadlineError) return redisAway('unavailable', 'unknown', error);
  return undefined;
}

const FAULT_TEXT: Record<RedisFaultKind, string> = {
  unavailable: 'Redis is not reachable',
  auth: 'Redis refuses our credentials',
  readonly: 'Redis takes no writes just now',
  loading: 'Redis is still loading its data',
  oom: 'Redis is out of memory',
  busy: 'Redis is busy with a script',
};

function redisAway(
  kind: RedisFaultKind,
  outcome: 'not_attempted' | 'unknown',
  cause: unknown,
): DomainError<ErrorCode> {
  const details = { outcome, fault: kind };
  if (kind === 'oom')
    return new DomainError('storage_full', `${FAULT_TEXT.oom}; nothing was stored.`, { details, cause });
  if (outcome === 'unknown') {
    return new DomainError(
      'outcome_unknown',
      `${FAULT_TEXT[kind]}; whether the request was carried out is unknown.`,
      { details, cause },
    );
  }
  return new DomainError('redis_unavailable', `${FAULT_TEXT[kind]}; nothing was done. Try again.`, {
    details,
    cause,
  });
}
