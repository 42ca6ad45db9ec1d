/** This file owns what jobs that send a request have in common: its headers, and which answers are worth another attempt. */
import { fatal, retryAfter } from '@sluice/jobs';
import { DomainError } from '@sluice/runtime';
import { z } from 'zod';
import type { Answer, EgressGuard, OutgoingRequest } from '../egress/guard.ts';

const MAX_URL_LENGTH = 8_192;
const MAX_HEADERS = 32;
const MAX_HEADERS_LENGTH = 8_192;
const MAX_TIMEOUT_MS = 600_000;
/** A server may ask for more; a job that waits a day looks lost. */
const MAX_RETRY_AFTER_MS = 3_600_000;
/** Too early, too many, timed out: another try may do. Beside all 5xx. */
const WORTH_ANOTHER_TRY = [408, 425, 429];

/** RFC 9110 §5.6.2 and §5.5: a token; visible characters, spaces and tabs. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** The connection's own, which the sender of the request decides. */
const RESERVED_HEADERS =
  /^(host|content-length|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|accept-encoding|proxy-.*)$/i;

export const urlSchema = z.string().min(1).max(MAX_URL_LENGTH);

/** Milliseconds, connection and answer together. */
export const timeoutSchema = z.int().min(1).max(MAX_TIMEOUT_MS).default(30_000);

export const headersSchema = z
  .record(z.string(), z.string())
  .superRefine((headers, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    const entries = Object.entries(headers);
    if (entries.length > MAX_HEADERS) refuse([], `more than ${MAX_HEADERS} headers`);
    if (entries.flat().join('').length > MAX_HEADERS_LENGTH)
      refuse([], `more than ${MAX_HEADERS_LENGTH} characters of headers`);
    for (const [name, value] of entries) {
      if (!HEADER_NAME.test(name)) refuse([name], 'is not a header name');
      if (RESERVED_HEADERS.test(name)) refuse([name], 'is set by the sender and cannot be given');
      if (!HEADER_VALUE.test(value)) refuse([name], 'holds a character that a header cannot have');
    }
  })
  .default({});

/** The answer, unless another attempt may bring a better one: then it throws what asks for that attempt. */
export async function send(egress: EgressGuard, request: OutgoingRequest): Promise<Answer> {
  let answer: Answer;
  try {
    answer = await egress.request(request);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'egress_refused')
      throw fatal(error.message, { cause: error });
    throw error;
  }
  const { status } = answer;
  if (status < 500 && !WORTH_ANOTHER_TRY.includes(status)) return answer;
  const message = `${new URL(request.url).host} answered ${status}`;
  const waitMs = retryAfterMs(headerOf(answer, 'retry-after'));
  throw waitMs === undefined ? new DomainError('upstream_failed', message) : retryAfter(waitMs, message);
}

export function headerOf(answer: Answer, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** RFC 9110 §10.2.3: seconds, or a date. At most an hour. */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const waitMs = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), MAX_RETRY_AFTER_MS) : undefined;
}
