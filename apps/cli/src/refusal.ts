/** This file owns what is told when the API refuses, or is not there: what happened, why, and what to do about it. */
import type { ApiError, ErrorCode } from '@sluice/contract';
import { CommandFailure, EXIT_STATUS } from './failure.ts';
import { visible } from './output.ts';

/** A refusal as a program reads it, of a request or of one line of many. `status` and `request_id` are null when nobody answered. */
export interface Refusal {
  status: number | null;
  reason: string;
  message: string;
  request_id: string | null;
  issues?: readonly { path: string; message: string }[];
  scope?: string;
}

const LIST_QUEUES = 'See which there are: sluice queues';

/** What a person can do about it, where that is not in the message already. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  unauthenticated:
    'Say another with SLUICE_API_KEY or --key. Make one: sluice keys create --label me --scope "*"',
  route_unknown: 'Is it a Sluice of this version that answers there? SLUICE_URL or --url says where it is.',
  service_unknown: 'See which there are: sluice services list',
  record_unknown: 'See which there are: sluice services list, sluice limits',
  policy_unknown: 'See which there are: sluice limits',
  key_unknown: 'See which there are: sluice keys list',
  queue_not_found: LIST_QUEUES,
  job_not_found: 'It is of another queue, was removed, or has been finished for longer than jobs are kept.',
  job_locked: 'Cancel it first: sluice jobs cancel <queue> <id>',
  idempotency_mismatch:
    'It stands for another job for 24 hours. Give a key of its own, or with a file a name of its own: --run <name>',
  body_too_large: 'The server says how much it takes: MAX_VALUE_BYTES, MAX_BATCH_BYTES.',
  redis_unavailable: 'The API runs, its Redis does not answer. Try again; sluice doctor may know more.',
  outcome_unknown: 'Redis went away in between. Look whether it was done before you try again.',
  cache_unavailable: 'The API runs, the Redis of this cache service does not answer.',
  rate_limited: 'Wait, or ask for a higher limit: API_LIMIT_PER_KEY, quotas of the key.',
  quota_backlog_exceeded: 'Wait until workers have done some of the jobs that wait.',
  version_mismatch: 'Somebody else changed it meanwhile.',
};

/** What the API's refusal comes to for a program. */
export function refusalOf(error: ApiError): Refusal {
  const { status, reason, message, context } = error;
  return {
    status,
    reason,
    message,
    request_id: context?.request_id ?? null,
    ...(context?.issues && { issues: context.issues }),
    ...(typeof context?.scope === 'string' && { scope: context.scope }),
  };
}

/** What a command that is refused ends with: one line of JSON for programs, sentences for people. */
export function failed(
  refusal: Refusal,
  { isJson, status }: { isJson: boolean; status?: number },
): CommandFailure {
  const text = isJson ? JSON.stringify({ error: refusal }) : told(refusal);
  return new CommandFailure(text, status);
}

/** For people: the message, the fields that are wrong, the reason by which it can be looked up, what to do. */
export function told(refusal: Refusal): string {
  const { status, reason, message, request_id: requestId, issues = [] } = refusal;
  const faults = issues.length > 1 ? issues.map((issue) => `  ${issue.path}: ${issue.message}`) : [];
  const advice = adviceFor(refusal);
  return [
    message,
    ...faults,
    ...(status === null ? [] : [`  (${status} ${reason}${requestId ? `, request ${requestId}` : ''})`]),
    ...(advice === undefined ? [] : [`  ${advice}`]),
  ]
    .map(visible)
    .join('\n');
}

function adviceFor({ reason, scope }: Refusal): string | undefined {
  if (reason === 'forbidden' && scope !== undefined)
    return `Make a key that may: sluice keys create --label me --scope '${scope}'`;
  return ADVICE[reason as ErrorCode];
}

/** Nobody answers at `url`, for a reason the system tells by a code. */
export function unreachable(url: string, code: string, isJson: boolean): CommandFailure {
  const message = `No API answers at ${url}: ${UNREACHABLE[code] ?? code}.`;
  const advice = 'Start one with `npx sluice up`, or say where it is with SLUICE_URL or --url.';
  const refusal = { status: null, reason: 'unreachable', message, request_id: null };
  if (isJson) return failed(refusal, { isJson, status: EXIT_STATUS.unreachable });
  return new CommandFailure(`${message}\n  ${advice}`, EXIT_STATUS.unreachable);
}

/** Something answers at `url` that is no Sluice, or stands in front of one that is away. */
export function stranger(url: string, status: number, isJson: boolean): CommandFailure {
  const message = `What answers at ${url} (${status}) is not Sluice, or stands in front of one that is away.`;
  const refusal = { status, reason: 'unreachable', message, request_id: null };
  if (isJson) return failed(refusal, { isJson, status: EXIT_STATUS.unreachable });
  return new CommandFailure(`${message}\n  SLUICE_URL or --url says where it is.`, EXIT_STATUS.unreachable);
}

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ETIMEDOUT: 'the host does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'the host does not answer',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network',
  TIMEOUT: 'no answer came in time',
};
