/** This file owns removing at a service's root: named keys, or everything. What names keys badly is refused and never a flush. */
import type { ErrorCode, routes } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { Call } from '../http/call.ts';
import { json, type Reply } from '../http/reply.ts';
import type { CallerCache } from './cache-call.ts';
import { keysOf } from './cache-reads.ts';
import { requireFew } from './cache-writes.ts';

type FlushCall = Call<(typeof routes)['flushCache']>;

export async function flushOrDelete(
  call: FlushCall,
  caller: CallerCache,
  maxBatchItems: number,
): Promise<Reply> {
  const { query, body } = call;
  if (query.keys !== undefined || body !== undefined) {
    const named = body?.resource.map((item) => (typeof item === 'string' ? item : item.key));
    const keys = named ?? keysOf(query.keys ?? '');
    requireFew(keys.length, maxBatchItems);
    for (const key of keys) caller.require('delete', key);
    const removed = await caller.cache.deleteMany(keys);
    return json(200, { resource: keys.map((key, at) => ({ key, success: removed[at] ?? false })) });
  }
  const prefix = query.prefix ?? '';
  const isDryRun = query.dry_run ?? false;
  caller.requirePrefix('flush', prefix);
  if (!isDryRun) requirePolicy(call, caller);
  return json(200, { success: true, deleted: await caller.cache.flush({ prefix, isDryRun }) });
}

function requirePolicy(call: FlushCall, caller: CallerCache): void {
  const { name, options } = caller.service.config;
  const isConfirmed =
    call.query.force || call.query.allow_delete || call.header('x-confirm-flush')?.toLowerCase() === name;
  switch (options.flushPolicy) {
    case 'open':
      return;
    case 'confirm':
      if (isConfirmed) return;
      throw new DomainError<ErrorCode>(
        'flush_unconfirmed',
        `Service ${name} is flushed only with ?force=true or the header X-Confirm-Flush: ${name}.`,
      );
    case 'deny':
      throw new DomainError<ErrorCode>('flush_denied', `Service ${name} does not let itself be flushed.`);
  }
}
