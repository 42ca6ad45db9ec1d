/** This file owns what the routes of the system share: who may, who made it and when, answers to a list. */
import { authorSchema, RECORD_ORIGINS } from '@sluice/system/schemas';
import { z } from 'zod';

const MAX_AT_ONCE = 100;

export const SYSTEM_PATH = '/api/v2/system';
export const systemTag = 'system';
export const systemRead = { area: 'system', verb: 'read' } as const;
export const systemWrite = { area: 'system', verb: 'write' } as const;

const author = authorSchema.meta({ description: 'Who: an API key by id and label, or the command line' });

/** Of a record; `null` for what comes from the configuration. DreamFactory's names. */
export const recordHistory = {
  origin: z
    .enum(RECORD_ORIGINS)
    .meta({ description: 'configuration: environment or services file, read-only here · system: made here' }),
  version: z.int().nullable().meta({ description: 'Another with every change; also the ETag' }),
  created_date: z.iso.datetime().nullable(),
  created_by: author.nullable(),
  last_modified_date: z.iso.datetime().nullable(),
  last_modified_by: author.nullable(),
};

/** One record, a list of them, or `{"resource": […]}`. */
export function oneOrMany<T extends z.ZodType>(item: T) {
  return z
    .union([
      z.object({ resource: z.array(item).min(1).max(MAX_AT_ONCE) }),
      z.array(item).min(1).max(MAX_AT_ONCE),
      item,
    ])
    .refine(hasFewOrNoList, `resource holds 1 to ${MAX_AT_ONCE} of them`);
}

/** A list that is empty or too long is no record either, though a record's schema lets it through. */
function hasFewOrNoList(body: unknown): boolean {
  const { resource } = body as { resource?: unknown };
  return !Array.isArray(resource) || (resource.length > 0 && resource.length <= MAX_AT_ONCE);
}

export const removed = z.object({ name: z.string(), success: z.literal(true) });

/** Codes of whatever changes a record. */
export const recordErrors = [
  'record_invalid',
  'record_unknown',
  'record_read_only',
  'record_changed',
  'version_mismatch',
  'too_many_records',
] as const;
export const createErrors = ['record_invalid', 'name_taken', 'record_read_only', 'too_many_records'] as const;

export const IF_MATCH = 'With `If-Match: "<version>"` only while the record is at that version, else 412.';
