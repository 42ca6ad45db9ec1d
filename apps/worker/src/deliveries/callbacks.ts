/** This file owns telling how a delivery ended: a delivery of its own, in Redis before the end of the first one is. */
import { createHash } from 'node:crypto';
import {
  type CallbackRequest,
  DELIVERY_JOB,
  DELIVERY_QUEUE,
  type Deliveries,
  type Targets,
} from '@sluice/delivery';
import type { AttemptFacts, AttemptMiddleware, Jobs, Outcome } from '@sluice/jobs';
import { DomainError, type Log } from '@sluice/runtime';
import { type DeliveryResult, FailedAttempt } from './attempt-record.ts';

export interface CallbacksOptions {
  deliveries: Deliveries;
  targets: Targets;
  hasTarget: (queue: string) => boolean;
  /** Waits for Redis rather than fail: a callback that is not written is lost. */
  jobs: Jobs;
  log: Log;
}

/** What has callbacks, whether it is a delivery or the target of a queue. */
interface Told {
  url: string | null;
  method: string;
  endpoint: string | null;
  callback: CallbackRequest | null;
  failure_callback: CallbackRequest | null;
}

type End = Extract<Outcome, { kind: 'completed' | 'fail' }>;

/**
 * A crash after the callback was written and before the end was repeats the attempt; the callback is known by its
 * idempotency key and is not written twice. A delivery that was cancelled or has expired tells nobody: it was not tried.
 */
export function callbacks(options: CallbacksOptions): AttemptMiddleware {
  const { hasTarget } = options;
  return {
    after(facts, outcome) {
      if (facts.name !== DELIVERY_JOB && !hasTarget(facts.queue)) return undefined;
      if (outcome.kind !== 'completed' && outcome.kind !== 'fail') return undefined;
      if (outcome.kind === 'fail' && ['cancelled', 'expired'].includes(outcome.failure.code))
        return undefined;
      return tell(options, facts, outcome);
    },
  };
}

async function tell(
  { deliveries, targets, jobs, log }: CallbacksOptions,
  facts: AttemptFacts,
  end: End,
): Promise<void> {
  const told = await toldOf({ deliveries, targets }, facts);
  const callback = end.kind === 'completed' ? told?.callback : told?.failure_callback;
  if (!told || !callback) return;
  const { queue, jobId } = facts;
  const [job] = await deliveries.jobs([
    { ...callback, body: report(facts, told, end), idempotency_key: keyOf(facts, end) },
  ]);
  if (!job || job instanceof DomainError) {
    log.error({ queue, jobId, error: job }, 'callback cannot be sent');
    return;
  }
  try {
    await jobs.enqueue(DELIVERY_QUEUE, job);
  } catch (error) {
    const isWritten = error instanceof DomainError && error.code === 'idempotency_mismatch';
    if (!isWritten) throw error;
  }
}

async function toldOf(
  { deliveries, targets }: Pick<CallbacksOptions, 'deliveries' | 'targets'>,
  { name, queue, payload }: AttemptFacts,
): Promise<Told | undefined> {
  if (name !== DELIVERY_JOB) return await targets.find(queue);
  return typeof payload === 'object' && payload !== null && deliveries.isProven(payload)
    ? payload
    : undefined;
}

/** In the shape that Standard Webhooks recommends for events. */
function report({ queue, jobId, name, attempt }: AttemptFacts, told: Told, end: End): object {
  const isDelivered = end.kind === 'completed';
  return {
    type: isDelivered ? 'delivery.succeeded' : 'delivery.failed',
    timestamp: new Date().toISOString(),
    data: {
      id: jobId,
      queue,
      name,
      url: told.url,
      method: told.method,
      endpoint: told.endpoint,
      attempts: attempt,
      error: isDelivered ? null : { code: end.failure.code, message: end.failure.message },
      ...answerOf(end),
    },
  };
}

function answerOf(end: End): { status: number | null; response: object | null } {
  if (end.kind === 'completed') {
    const { status, duration_ms: _tookMs, ...response } = end.result as DeliveryResult;
    return { status, response };
  }
  const cause = end.error instanceof Error ? end.error.cause : undefined;
  const record = cause instanceof FailedAttempt ? cause.record : undefined;
  return { status: record?.status ?? null, response: record?.response ?? null };
}

function keyOf({ queue, jobId, attempt }: AttemptFacts, { kind }: End): string {
  const digest = createHash('sha256').update(`${queue}:${jobId}`).digest('base64url');
  return `callback:${digest}:${attempt}:${kind}`;
}
