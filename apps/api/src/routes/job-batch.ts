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
  if (failures.length === 0) return jsonText(201, `{"resource":[${results.map(storedItem).join(',')}]}`);
  // Redis away from the beginning is no fault of any job: the whole answer says so.
  if (failures.length === results.length && failures.every((error) => redisFault(error))) throw failures[0];
  throw new DomainError<ErrorCode>(
    'batch_failed',
    `${failures.length} of ${results.length} jobs were not enqueued.`,
    {
      details: {
        error: results.flatMap(({ ok }, index) => (ok ? [] : [index])),
        resource: results.map((result) =>
          result.ok
            ? { id: result.job.id, success: true }
            : { success: false, error: failureBody(result.error, requestId) },
        ),
      },
    },
  );
}

/** Ids are ours and need no escaping. */
function storedItem(result: EnqueueResult): string {
  return result.ok ? `{"id":"${result.job.id}","success":true}` : '';
}

function refused(): DomainError<ErrorCode> {
  return new DomainError('batch_refused', 'Not enqueued, because another job of the batch is invalid.');
}
