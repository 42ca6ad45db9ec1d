/** This file owns the job `http.request`: sends one request and keeps a bounded part of the answer. */
import { defineJob, type JobDefinition } from '@sluice/jobs';
import { z } from 'zod';
import type { Answer, EgressGuard } from '../egress/guard.ts';
import { headerOf, headersSchema, send, timeoutSchema, urlSchema } from './outgoing.ts';

/** As JSON text, in the stored result. */
const MAX_BODY_BYTES = 16_384;
const MAX_SENT_BODY_LENGTH = 1_048_576;
/** Body, headers and their names. */
const MAX_RESULT_BYTES = 32_768;
const MAX_HEADER_LENGTH = 512;
/** Kept of an answer. Cookies and whatever else may be a secret are not. */
const KEPT_HEADERS = [
  'cache-control',
  'content-encoding',
  'content-language',
  'content-length',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'link',
  'location',
  'retry-after',
  'x-request-id',
];

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
      return { status: answer.status, headers: keptHeaders(answer), ...keptBody(answer) };
    },
  });
}

function keptHeaders(answer: Answer): Record<string, string> {
  const found = KEPT_HEADERS.map((name) => [name, headerOf(answer, name)?.slice(0, MAX_HEADER_LENGTH)]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** Text when it is UTF-8, else base64; `truncated` when there was more. */
function keptBody({ body, isTruncated }: Answer): {
  body: string;
  body_encoding: 'utf8' | 'base64';
  truncated: boolean;
} {
  try {
    // A body that was cut may end within a character, which `stream` leaves out.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body, { stream: isTruncated });
    const kept = fitJson(text);
    return { body: kept, body_encoding: 'utf8', truncated: isTruncated || kept.length < text.length };
  } catch {
    const kept = body.subarray(0, Math.floor((MAX_BODY_BYTES * 3) / 4));
    return {
      body: kept.toString('base64'),
      body_encoding: 'base64',
      truncated: isTruncated || kept.length < body.length,
    };
  }
}

/** The beginning of `text` that is at most `MAX_BODY_BYTES` as JSON, where a quote takes two and a control character six. */
function fitJson(text: string): string {
  let kept = text;
  for (;;) {
    const bytes = Buffer.byteLength(JSON.stringify(kept));
    if (bytes <= MAX_BODY_BYTES) return kept;
    kept = kept.slice(0, Math.floor((kept.length * (MAX_BODY_BYTES - 16)) / bytes)).toWellFormed();
  }
}
