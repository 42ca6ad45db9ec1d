/** This file owns what is kept of an answer: some of its headers, and a bounded part of its body as text. */
import type { Answer } from '../egress/guard.ts';
import { headerOf } from './outgoing.ts';

/** As JSON text, in the stored result. */
export const MAX_BODY_BYTES = 16_384;
/** Body, headers and their names. */
export const MAX_RESULT_BYTES = 32_768;
const MAX_HEADER_LENGTH = 512;
/** Cookies and whatever else may be a secret are not among them. */
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

export interface KeptAnswer {
  headers: Record<string, string>;
  body: string;
  body_encoding: 'utf8' | 'base64';
  /** There was more. */
  truncated: boolean;
}

/** `maxBodyBytes` counts the body as JSON. */
export function keptAnswer(answer: Answer, maxBodyBytes: number = MAX_BODY_BYTES): KeptAnswer {
  return { headers: keptHeaders(answer), ...keptBody(answer, maxBodyBytes) };
}

function keptHeaders(answer: Answer): Record<string, string> {
  const found = KEPT_HEADERS.map((name) => [name, headerOf(answer, name)?.slice(0, MAX_HEADER_LENGTH)]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** Text when it is UTF-8, else base64. */
function keptBody({ body, isTruncated }: Answer, maxBytes: number): Omit<KeptAnswer, 'headers'> {
  try {
    // A body that was cut may end within a character, which `stream` leaves out.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body, { stream: isTruncated });
    const kept = fitJson(text, maxBytes);
    return { body: kept, body_encoding: 'utf8', truncated: isTruncated || kept.length < text.length };
  } catch {
    const kept = body.subarray(0, Math.floor((maxBytes * 3) / 4));
    return {
      body: kept.toString('base64'),
      body_encoding: 'base64',
      truncated: isTruncated || kept.length < body.length,
    };
  }
}

/** The beginning of `text` that is at most `maxBytes` as JSON, where a quote takes two and a control character six. */
function fitJson(text: string, maxBytes: number): string {
  let kept = text;
  for (;;) {
    const bytes = Buffer.byteLength(JSON.stringify(kept));
    if (bytes <= maxBytes) return kept;
    kept = kept.slice(0, Math.floor((kept.length * (maxBytes - 16)) / bytes)).toWellFormed();
  }
}
