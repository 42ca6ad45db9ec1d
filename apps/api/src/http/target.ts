/** This file owns the request target as it came: which door it is for, and the cache key in it, decoded once and never rewritten. */
import { RESERVED_SERVICE_NAMES } from '@sluice/config';
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';

export const API_ROOT = '/api/v2/';

/** The path of the target, without its query, undecoded. */
export function rawPath(target: string): string {
  const start = target.startsWith('/') ? 0 : target.indexOf('/', target.indexOf('//') + 2);
  if (start === -1) return '/';
  const query = target.indexOf('?', start);
  return query === -1 ? target.slice(start) : target.slice(start, query);
}

/** The query of the target without its question mark; empty when there is none. */
export function rawQuery(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? '' : target.slice(query + 1);
}

/** True when the path belongs to a cache service. */
export function isCachePath(path: string): boolean {
  if (!path.startsWith(API_ROOT)) return false;
  const end = path.indexOf('/', API_ROOT.length);
  const segment = path.slice(API_ROOT.length, end === -1 ? undefined : end);
  return segment !== '' && !RESERVED_SERVICE_NAMES.includes(segment.toLowerCase());
}

/** True for what lies beside the keys of a cache service: `/_ops/…` and `/_spec`, which are no keys. */
export function isOperationPath(path: string): boolean {
  const end = path.indexOf('/', API_ROOT.length);
  return end !== -1 && (path.startsWith('_ops/', end + 1) || path.slice(end + 1) === '_spec');
}

/**
 * The service and key of a cache path. `key` is `undefined` at the service's root, with or without a trailing slash.
 *
 * A key that is, or has between slashes, `.` or `..` cannot travel in a path: clients and proxies rewrite it on their
 * way (RFC 3986 §5.2.4). It is refused here, and legal in a body or in `?keys=`.
 */
export function cacheTarget(path: string): { service: string; key: string | undefined } {
  const end = path.indexOf('/', API_ROOT.length);
  const service = decodeSegment(path.slice(API_ROOT.length, end === -1 ? undefined : end)).toLowerCase();
  const rest = end === -1 ? '' : path.slice(end + 1);
  if (rest === '') return { service, key: undefined };
  if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(rest)) {
    throw new DomainError<ErrorCode>(
      'input_invalid',
      "A key with a '.' or '..' segment cannot be in a path; use ?keys= or a body.",
    );
  }
  return { service, key: decodeSegment(rest) };
}

/** Throws `input_invalid` when it is not percent-encoded UTF-8. */
export function decodeSegment(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new DomainError<ErrorCode>('input_invalid', 'The path is not percent-encoded UTF-8.', { cause });
  }
}
