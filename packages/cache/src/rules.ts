/** This file owns what a caller may say: keys, TTLs, tags and value texts, each checked once at the domain's edge. */
import { DomainError, JsonText } from '@sluice/runtime';
import { type CacheErrorCode, MAX_KEY_BYTES, MAX_TAG_BYTES, MAX_TAGS, MAX_TTL_SECONDS } from './schemas.ts';

/** Seconds to live from now on, or no end. */
export type Ttl = number | 'forever';

const DELETE = 0x7f;
const SPACE = 0x20;

/**
 * Throws `key_invalid` unless `key` is 1 to 1024 bytes of well-formed UTF-8 without control characters (U+0000 to
 * U+001F, U+007F). Nothing is rewritten: `a/b`, `a..b` and `0` are keys as they stand.
 */
export function checkKey(key: string): void {
  const bytes = utf8Bytes(key);
  if (bytes > 0 && bytes <= MAX_KEY_BYTES) return;
  if (key === '') throw refuse('key_invalid', 'A key has at least one character.');
  if (bytes > MAX_KEY_BYTES)
    throw refuse('key_invalid', `A key has at most ${MAX_KEY_BYTES} bytes; this one has ${bytes}.`);
  throw refuse('key_invalid', 'A key is UTF-8 text without control characters.');
}

/** Like `checkKey`, but empty is allowed: every key begins with it. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix);
}

export function checkTags(tags: readonly string[]): void {
  if (tags.length > MAX_TAGS)
    throw refuse('tag_invalid', `An entry has at most ${MAX_TAGS} tags; these are ${tags.length}.`);
  for (const tag of tags) {
    const bytes = utf8Bytes(tag);
    if (bytes > 0 && bytes <= MAX_TAG_BYTES) continue;
    throw refuse(
      'tag_invalid',
      `A tag is 1 to ${MAX_TAG_BYTES} bytes of UTF-8 text without control characters.`,
    );
  }
}

/** Throws `ttl_invalid` unless `ttl` is 'forever' or a whole number of seconds from 1 to ten years. */
export function checkTtl(ttl: Ttl): void {
  if (ttl === 'forever') return;
  if (Number.isInteger(ttl) && ttl >= 1 && ttl <= MAX_TTL_SECONDS) return;
  throw refuse(
    'ttl_invalid',
    `A TTL is a whole number of seconds from 1 to ${MAX_TTL_SECONDS}; ${ttl} is not.`,
  );
}

/**
 * A TTL as the wire says it: seconds when above 0, `0` for ever, `-1` or absent the service's default (`undefined`).
 * Whole numbers in a string are read as numbers. Throws `ttl_invalid` for anything else.
 */
export function readTtl(raw: unknown): Ttl | undefined {
  if (raw === undefined) return undefined;
  const seconds = typeof raw === 'string' && /^(-1|\d{1,9})$/.test(raw) ? Number(raw) : raw;
  if (
    typeof seconds === 'number' &&
    Number.isInteger(seconds) &&
    seconds >= -1 &&
    seconds <= MAX_TTL_SECONDS
  ) {
    if (seconds === -1) return undefined;
    return seconds === 0 ? 'forever' : seconds;
  }
  throw refuse(
    'ttl_invalid',
    `A ttl is -1 (the service's default), 0 (no expiration) or a whole number of seconds up to ${MAX_TTL_SECONDS}.`,
  );
}

/** Throws `ttl_invalid` unless `graceSeconds` is a whole number from 0 to ten years. */
export function checkGrace(graceSeconds: number): void {
  if (Number.isInteger(graceSeconds) && graceSeconds >= 0 && graceSeconds <= MAX_TTL_SECONDS) return;
  throw refuse('ttl_invalid', `A grace is a whole number of seconds from 0 to ${MAX_TTL_SECONDS}.`);
}

/** `null` for no end. */
export function milliseconds(ttl: Ttl): number | null {
  return ttl === 'forever' ? null : ttl * 1_000;
}

/** The JSON text to store: a `JsonText` as it is, anything else by `JSON.stringify`. Throws `value_invalid` or `value_too_large`. */
export function valueText(value: unknown, maxBytes: number): string {
  const text = value instanceof JsonText ? value.text : JSON.stringify(value);
  // A control character leads our own frames (frame.ts) and never a JSON text.
  if (text === undefined || text === '' || isControl(text.charCodeAt(0))) {
    throw refuse('value_invalid', 'A value is JSON; this one has no JSON form.');
  }
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (text.length * 3 > maxBytes) {
    const bytes = Buffer.byteLength(text);
    if (bytes > maxBytes) {
      throw refuse('value_too_large', `A value has at most ${maxBytes} bytes; this one has ${bytes}.`, {
        maxBytes,
        bytes,
      });
    }
  }
  return text;
}

export function refuse(
  code: CacheErrorCode,
  message: string,
  details?: Record<string, unknown>,
): DomainError<CacheErrorCode> {
  return new DomainError(code, message, details && { details });
}

function isControl(code: number): boolean {
  return code < SPACE && code !== 0x09 && code !== 0x0a && code !== 0x0d;
}

/** Bytes of `text` in UTF-8; -1 when it holds a control character or a lone surrogate. One pass, nothing allocated. */
function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x80) {
      if (code < SPACE || code === DELETE) return -1;
      bytes += 1;
    } else if (code < 0x800) bytes += 2;
    else if (code < 0xd800 || code > 0xdfff) bytes += 3;
    else {
      const next = text.charCodeAt(at + 1);
      if (code > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return -1;
      bytes += 4;
      at += 1;
    }
  }
  return bytes;
}
