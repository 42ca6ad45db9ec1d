/** This file owns the job `http.request`: sends one request and keeps a bounded part of the answer. */
import { defineJob, type JobDefinition } from '@sluice/jobs';
import { z } from 'zod';
import type { EgressGuard } from '../egress/guard.ts';
import { keptAnswer, MAX_BODY_BYTES, MAX_RESULT_BYTES } from './kept-answer.ts';
import { headersSchema, send, timeoutSchema, urlSchema } from './outgoing.ts';

const MAX_SENT_BODY_LENGTH = 1_048_576;

const payload = z
  .strictObject({
    url: urlSchema,
    method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']).default('GET'),
    headers: headersSchema,
    /** Sent as it stands. */
    body: z.string().max(MAX_SENT_BODY_LENGTH).optional(),
    /** Sent as JSON, with its content type. */
    json: z.json().optional(),
    timeout: timeoutSchema,
  })
  .refine(({ body, json }) => body === undefined || json === undefined, {
    path: ['json'],
    message: 'stands beside body: give one of them',
  });

/**
 * Any answer below 500 completes the job, a 404 and a 3xx too: it is what was asked for, and nothing is followed. A 5xx,
 * 408, 425, 429 or no answer takes another attempt, after `Retry-After` when the answer has one.
 */
export function httpRequest(egress: EgressGuard): JobDefinition<z.output<typeof payload>> {
  return defineJob({
    name: 'http.request',
    payload,
    maxResultBytes: MAX_RESULT_BYTES,
    async run({ url, method, headers, body, json, timeout }, { signal }) {
      const answer = await send(egress, {
        url,
        method,
        signal,
        timeoutMs: timeout,
        maxBodyBytes: MAX_BODY_BYTES,
        headers: json === undefined ? headers : { 'content-type': 'application/json', ...headers },
        body: json === undefined ? body : JSON.stringify(json),
      });
      return { status: answer.status, ...keptAnswer(answer) };
    },
  });
}
