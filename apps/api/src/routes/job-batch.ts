/** This file owns many jobs in one request: all are stored or none, unless the caller wants those that can be. */
import type { ErrorCode } from '@sluice/contract';
import type { EnqueueResult, Jobs, NewJob } from '@sluice/jobs';
import { redisFault } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { z } from 'zod';
import { backlogOf, type Principal } from '../http/call.ts';
import { failureBody } from '../http/failure.ts';
import { jsonText, type Reply } from '../http/reply.ts';

/** One of a batch, after it was checked by itself. */
export type Checked<T> = { value: T } | { error: DomainError };

export interface BatchOptions {
  /** `?continue=true`: store those that can be. */
  isContinued: boolean;
  requestId: string;
  /** Who puts them. */
  principal: Principal;
}

/** `code` and the first fault when it does not fit. */
export function checkItem<T>(schema: z.ZodType<T>, item: unknown, code: ErrorCode, what: string): Checked<T> {
  const parsed = schema.safeParse(item);
  if (parsed.success) return { value: parsed.data };
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  const [first] = issues;
  return {
    error: new DomainError<ErrorCode>(code, `${first?.path || what}: ${first?.message}`, {
      details: { issues },
    }),
  };
}

/** All items, or none unless continued; then every item tells how it went. */
export async function enqueueMany(
  jobs: Jobs,
  queue: string,
  items: readonly Checked<NewJob>[],
  { isContinued, requestId, principal }: BatchOptions,
): Promise<Reply> {
  const isRefused = !isContinued && items.some((item) => 'error' in item);
  const valid = isRefused ? [] : items.flatMap((item) => ('value' in item ? [item.value] : []));
  const written = await jobs.enqueueMany(queue, valid, {
    onInvalid: isContinued ? 'skip' : 'refuse',
    backlog: backlogOf(principal),
  });
  let next = 0;
  const results = items.map((item): EnqueueResult => {
    if ('error' in item) return { ok: false, error: item.error };
    return isRefused ? { ok: false, error: refused() } : (written[next++] as EnqueueResult);
  });
  return batchReply(results, requestId);
}

function batchReply(results: readonly EnqueueResult[], requestId: string): Reply {
  const failures = results.flatMap((result) => (result.ok ? [] : [result.error]));
  if (failures.length === 0) return jsonText(201, storedBody(results));
  if (failures.length === results.length && failures.every(isOfAll)) throw failures[0];
  const isUnsure = failures.some(isNotConfirmed);
  throw new DomainError<ErrorCode>(
    isUnsure ? 'durability_not_confirmed' : 'batch_failed',
    `${failures.length} of ${results.length} jobs were not ${isUnsure ? 'proven to be stored' : 'enqueued'}.`,
    {
      details: {
        ...(isUnsure && { outcome: 'unknown' }),
        error: results.flatMap(({ ok }, index) => (ok ? [] : [index])),
        resource: results.map((result) =>
          result.ok
            ? { id: result.job.id, success: true, durability: result.job.durability }
            : { success: false, error: failureBody(result.error, requestId) },
        ),
      },
    },
  );
}

/** No fault of any of the jobs, and none was written. */
function isOfAll(error: unknown): boolean {
  return (
    redisFault(error) !== undefined ||
    (error instanceof DomainError && (error.code === 'durability_unavailable' || error.code === 'overloaded'))
  );
}

/** Written, and perhaps lost with its server: an answer of its own, since the same request may be sent again. */
function isNotConfirmed(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'durability_not_confirmed';
}

/** All of them went into one queue, and have what they have in common. */
function storedBody(results: readonly EnqueueResult[]): string {
  const levels = new Set(results.map((result) => (result.ok ? result.job.durability : 'memory')));
  const durability = levels.size === 1 ? [...levels][0] : 'memory';
  return `{"resource":[${results.map(storedItem).join(',')}],"durability":"${durability}"}`;
}

/** Ids are ours and need no escaping. */
function storedItem(result: EnqueueResult): string {
  return result.ok ? `{"id":"${result.job.id}","success":true}` : '';
}

function refused(): DomainError<ErrorCode> {
  return new DomainError('batch_refused', 'Not enqueued, because another job of the batch is invalid.');
}
