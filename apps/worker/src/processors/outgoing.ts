/** This file owns what jobs that send a request have in common: its headers, and which answers are worth another attempt. */
import { readRetryAfter } from '@sluice/delivery';
import { headersSchema as deliveryHeadersSchema } from '@sluice/delivery/schemas';
import { fatal, retryAfter } from '@sluice/jobs';
import { DomainError } from '@sluice/runtime';
import { z } from 'zod';
import type { Answer, EgressGuard, OutgoingRequest } from '../egress/guard.ts';

const MAX_URL_LENGTH = 8_192;
const MAX_TIMEOUT_MS = 600_000;
/** A server may ask for more; a job that waits a day looks lost. */
const MAX_RETRY_AFTER_MS = 3_600_000;
/** Too early, too many, timed out: another try may do. Beside all 5xx. */
const WORTH_ANOTHER_TRY = [408, 425, 429];

export const urlSchema = z.string().min(1).max(MAX_URL_LENGTH);

/** Milliseconds, connection and answer together. */
export const timeoutSchema = z.int().min(1).max(MAX_TIMEOUT_MS).default(30_000);

/** The same rules as for deliveries. */
export const headersSchema = deliveryHeadersSchema.default({});

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
  const waitMs = readRetryAfter(headerOf(answer, 'retry-after'));
  throw waitMs === undefined
    ? new DomainError('upstream_failed', message)
    : retryAfter(Math.min(waitMs, MAX_RETRY_AFTER_MS), message);
}

export function headerOf(answer: Answer, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
