/** This file owns the data of a job on its way in: any JSON, as text, within its bound. */
import { DomainError, JsonText } from '@sluice/runtime';
import type { z } from 'zod';
import type { JobsErrorCode } from './schemas.ts';

/** `JsonText` as it is written, else `JSON.stringify`; `undefined` is `{}`. Throws `job_invalid` above `maxBytes`, and for what is not JSON. */
export function dataText(data: unknown, maxBytes: number, what = 'data'): string {
  const text = data instanceof JsonText ? data.text : data === undefined ? '{}' : JSON.stringify(data);
  if (text === undefined) throw invalid(`${what} of type ${typeof data} is not JSON`);
  // A character is at most three bytes of UTF-8, so short texts need no counting.
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
    throw invalid(`${what} of ${Buffer.byteLength(text)} bytes is above the limit of ${maxBytes}`);
  }
  return text;
}

/** `value` as its schema has it. Throws `job_invalid` with the fields at fault, their paths beginning with `at`. */
export function check<T>(schema: z.ZodType<T>, value: unknown, at: readonly string[]): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({
    path: [...at, ...path].join('.'),
    message,
  }));
  const first = issues[0];
  throw new DomainError<JobsErrorCode>('job_invalid', `${first?.path}: ${first?.message}`, {
    details: { issues },
  });
}

export function invalid(message: string): DomainError<JobsErrorCode> {
  return new DomainError('job_invalid', message);
}
