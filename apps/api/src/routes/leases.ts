/** This file owns the answers about leases. */
import { completedLease, type ErrorCode, type routes } from '@sluice/contract';
import type { Jobs, Lease, LeaseFacts, SettledLease, SettleResult } from '@sluice/jobs';
import { redisFault } from '@sluice/redis';
import { DomainError, stringifyCarrying } from '@sluice/runtime';
import type { Call, Handlers, Principal } from '../http/call.ts';
import { failureBody } from '../http/failure.ts';
import { json, jsonText, type Reply } from '../http/reply.ts';

type LeaseRoutes = Pick<
  typeof routes,
  | 'takeLeases'
  | 'heartbeatLease'
  | 'completeLease'
  | 'completeLeases'
  | 'failLease'
  | 'releaseJobLease'
  | 'reportLeaseProgress'
  | 'addLeaseLogs'
>;
type CompleteCall = Call<typeof routes.completeLeases>;
type CheckedItem = { lease: LeaseFacts; result: unknown } | { error: unknown };

export function leaseHandlers({ jobs: { leases } }: { jobs: Jobs }): Handlers<LeaseRoutes> {
  const open = ({ principal, params }: Pick<Call, 'principal'> & { params: { lease: string } }) =>
    openLease(leases, principal, params.lease);

  return {
    takeLeases: async (call) => {
      const { count, lease_ms: leaseMs, wait } = call.body;
      const taken = await leases.take(call.params.queue, {
        count,
        leaseMs,
        holder: call.principal.id,
        waitMs: wait * 1_000,
        signal: call.signal,
      });
      return jsonText(200, `{"resource":[${taken.map(leaseText).join(',')}]}`);
    },
    heartbeatLease: async (call) => {
      const { expiresAt, isCancelling } = await leases.heartbeat(open(call), call.body?.lease_ms);
      return json(200, { expires_at: new Date(expiresAt).toISOString(), cancel: isCancelling });
    },
    completeLease: async (call) => json(200, await leases.complete(open(call), call.body?.result)),
    completeLeases: async (call) => await completeMany(leases, call),
    failLease: async (call) => {
      const { error, retryable, delay } = call.body;
      const { message, stack } = typeof error === 'string' ? { message: error } : error;
      return json(
        200,
        await leases.fail(open(call), { message, stack, isRetryable: retryable, delayMs: delay }),
      );
    },
    releaseJobLease: async (call) => json(200, await leases.release(open(call), call.body?.delay)),
    reportLeaseProgress: async (call) => {
      await leases.progress(open(call), call.body.progress);
      return json(200, { success: true });
    },
    addLeaseLogs: async (call) =>
      json(200, { success: true, count: await leases.log(open(call), call.body.lines) }),
  };
}

/** A key may have lost its right to the queue since it took the lease. */
function openLease(leases: Jobs['leases'], { id, grants }: Principal, text: string): LeaseFacts {
  const lease = leases.open(text, id);
  if (grants.allows('jobs', 'consume', lease.queue)) return lease;
  throw new DomainError<ErrorCode>(
    'forbidden',
    `This key lacks the scope jobs:consume for '${lease.queue}'.`,
    {
      details: { scope: 'jobs:consume' },
    },
  );
}

/** Written by hand: a hundred of these are most of an answer, and each carries its job's own text. */
function leaseText({ lease, job, attempt, expiresAt }: Lease): string {
  const { id, queue, name, data, maxAttempts, timeoutMs, createdAt, parent, scheduler } = job;
  const told = stringifyCarrying({
    id,
    queue,
    name,
    data,
    max_attempts: maxAttempts,
    timeout: timeoutMs,
    created_at: new Date(createdAt).toISOString(),
    parent,
    scheduler,
  });
  const until = new Date(expiresAt).toISOString();
  return `{"lease":"${lease}","job":${told},"attempt":${attempt},"expires_at":"${until}"}`;
}

/** All items, or none unless `?continue=true` when one of them is no lease of this key; then every item tells how it went. */
async function completeMany(leases: Jobs['leases'], call: CompleteCall): Promise<Reply> {
  const checked = call.body.resource.map((item) => checkItem(leases, call.principal, item));
  const isRefused = !call.query.continue && checked.some((item) => 'error' in item);
  const valid = isRefused ? [] : checked.flatMap((item) => ('error' in item ? [] : [item]));
  const written = await leases.completeMany(valid);
  let next = 0;
  const results = checked.map((item): SettleResult => {
    if ('error' in item) return { ok: false, error: item.error };
    return isRefused ? { ok: false, error: refused() } : (written[next++] as SettleResult);
  });
  return batchReply(results, call.requestId);
}

function checkItem(leases: Jobs['leases'], principal: Principal, item: unknown): CheckedItem {
  const parsed = completedLease.safeParse(item);
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    return {
      error: new DomainError<ErrorCode>(
        'job_invalid',
        `${first?.path.join('.') || 'item'}: ${first?.message}`,
      ),
    };
  }
  try {
    return { lease: openLease(leases, principal, parsed.data.lease), result: parsed.data.result };
  } catch (error) {
    return { error };
  }
}

function batchReply(results: readonly SettleResult[], requestId: string): Reply {
  const failures = results.flatMap((result) => (result.ok ? [] : [result.error]));
  if (failures.length === 0) return json(200, { resource: results.map(resultBody) });
  // Redis away from the beginning is no fault of any lease: the whole answer says so.
  if (failures.length === results.length && failures.every((error) => redisFault(error))) throw failures[0];
  throw new DomainError<ErrorCode>(
    'batch_failed',
    `${failures.length} of ${results.length} jobs were not completed.`,
    {
      details: {
        error: results.flatMap(({ ok }, index) => (ok ? [] : [index])),
        resource: results.map((result) =>
          result.ok ? resultBody(result) : { success: false, error: failureBody(result.error, requestId) },
        ),
      },
    },
  );
}

function resultBody(result: SettleResult): (SettledLease & { success: true }) | undefined {
  return result.ok ? { ...result.settled, success: true } : undefined;
}

function refused(): DomainError<ErrorCode> {
  return new DomainError('batch_refused', 'Not completed, because another lease of the batch is invalid.');
}
