/** This file owns what the handlers of the system share: who changes, at which version, how a record and a failed list are told. */
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { Authorship, RecordOrigin, Registry, StoredRecord } from '@sluice/system';
import type { Call } from '../http/call.ts';
import { failureBody } from '../http/failure.ts';

export function authorshipOf({ principal, requestId }: Pick<Call, 'principal' | 'requestId'>): Authorship {
  return { author: { kind: principal.kind, id: principal.id, label: principal.label }, requestId };
}

/** The version in `If-Match`; `undefined` when the header is absent or `*`. Throws `input_invalid`. */
export function versionWanted(call: Pick<Call, 'header'>): number | undefined {
  const match = call.header('if-match')?.trim();
  if (match === undefined || match === '*') return undefined;
  const version = /^"?(\d{1,15})"?$/.exec(match)?.[1];
  if (version !== undefined) return Number(version);
  throw new DomainError<ErrorCode>('input_invalid', 'If-Match is the ETag that the record came with.');
}

export function etag(version: number): { ETag: string } {
  return { ETag: `"${version}"` };
}

/** The members of `recordHistory`. */
export function historyOf(record: StoredRecord | Exclude<RecordOrigin, 'system'>) {
  if (typeof record === 'string') {
    return {
      origin: record,
      version: null,
      created_date: null,
      created_by: null,
      last_modified_date: null,
      last_modified_by: null,
      mutable: record === 'built_in',
      deletable: false,
    };
  }
  return {
    origin: 'system',
    version: record.version,
    created_date: new Date(record.createdAt).toISOString(),
    created_by: record.createdBy,
    last_modified_date: new Date(record.changedAt).toISOString(),
    last_modified_by: record.changedBy,
    mutable: true,
    deletable: true,
  };
}

const HISTORY = new Set(Object.keys(historyOf('configuration')));

/** Whoever sends back what he was told need not take out what is no part of a record. */
export function withoutHistory(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  return Object.fromEntries(Object.entries(given).filter(([name]) => !HISTORY.has(name)));
}

/** The items of a body: one, a list, or `{"resource": […]}`. */
export function itemsOf(body: unknown): readonly unknown[] {
  if (Array.isArray(body)) return body;
  const { resource } = body as { resource?: unknown };
  return Array.isArray(resource) ? resource : [body];
}

/** The records that were made. Of one the fault is the answer's; of several each has its own, and none was made. */
export function createdOf(
  outcome: { records: StoredRecord[] } | { errors: (DomainError | undefined)[] },
  requestId: string,
): StoredRecord[] {
  if ('records' in outcome) return outcome.records;
  const { errors } = outcome;
  const [first] = errors;
  if (errors.length === 1 && first) throw first;
  const notMade = new DomainError<ErrorCode>('batch_refused', 'Not made, because of another of the list.');
  throw new DomainError<ErrorCode>('batch_failed', 'None was made.', {
    details: {
      error: errors.flatMap((error, index) => (error ? [index] : [])),
      resource: errors.map((error) => ({ success: false, error: failureBody(error ?? notMade, requestId) })),
    },
  });
}

/** Before the records have been read once nobody can say which there are. Throws `redis_unavailable`. */
export function requireLoaded(registry: Registry): void {
  if (registry.isLoaded) return;
  throw new DomainError<ErrorCode>(
    'redis_unavailable',
    'The records are not read from Redis yet. Try again.',
    {
      details: { outcome: 'not_attempted' },
    },
  );
}
