/** This file owns conditional requests: ETags as headers and items write them, and what a condition asks of the domain (RFC 9110 §13). */
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { Call } from '../http/call.ts';

export interface Conditions {
  when: 'absent' | 'present' | undefined;
  ifMatch: string[] | undefined;
}

/** `If-Match: *` wants any entry, `If-None-Match: *` none. */
export function conditionsOf(call: Pick<Call, 'header'>): Conditions {
  const match = call.header('if-match');
  if (match !== undefined) return conditionOf(match);
  return { when: isAny(call.header('if-none-match')) ? 'absent' : undefined, ifMatch: undefined };
}

/** The ETags of `If-Match`; `undefined` when the header is absent or `*`. */
export function ifMatchOf(call: Pick<Call, 'header'>): string[] | undefined {
  const match = call.header('if-match');
  return match === undefined ? undefined : conditionOf(match).ifMatch;
}

/** `if_match` of an item, or a header: ETags with or without quotes, several by comma or in a list, or `*`. */
export function conditionOf(given: unknown): Conditions {
  if (isAny(given)) return { when: 'present', ifMatch: undefined };
  const texts = typeof given === 'string' ? given.split(',') : given;
  if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) {
    throw new DomainError<ErrorCode>('input_invalid', '`if_match` is an ETag or a list of them.');
  }
  // A weak ETag never equals in the strong comparison that a write needs.
  return { when: undefined, ifMatch: texts.map(bare).filter((etag) => !etag.startsWith('W/')) };
}

/** True when `If-None-Match` names this ETag: the caller has the value already. Weak comparison. */
export function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return isAny(header) || header.split(',').some((text) => bare(text.trim().replace(/^W\//, '')) === etag);
}

function isAny(given: unknown): boolean {
  return typeof given === 'string' && given.trim() === '*';
}

function bare(text: string): string {
  return text.trim().replace(/^"(.*)"$/, '$1');
}
