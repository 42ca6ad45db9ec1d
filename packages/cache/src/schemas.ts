/** This file owns the words of a cache that its callers and the HTTP contract share: bounds, names, error codes. */

export const MAX_KEY_BYTES = 1_024;
/** Ten years: beyond it a TTL is a mistake of unit. */
export const MAX_TTL_SECONDS = 10 * 365 * 86_400;
/** The page's Default TTL, in minutes. */
export const DEFAULT_TTL_MINUTES = 300;
export const MAX_LIST_LIMIT = 10_000;
export const DEFAULT_MAX_VALUE_BYTES = 1_048_576;
export const MAX_BATCH_KEYS = 1_000;
export const MAX_TAGS = 32;
export const MAX_TAG_BYTES = 256;
/** Longer than any fill should take; a holder that still works renews. */
export const MAX_LEASE_MS = 300_000;

/** Who may empty a whole service: anyone with the right, only with a confirmation, or no one. */
export const FLUSH_POLICIES = ['open', 'confirm', 'deny'] as const;
export type FlushPolicy = (typeof FLUSH_POLICIES)[number];

/**
 * - `key_exists` an item that was to be stored over nothing; `keys_exist` a map of which nothing was stored therefore
 * - `not_an_integer` a counter's step on a value that is none
 * - `cache_lease_lost` a fill that came after its lease had ended, or after someone else had written
 * - `load_timeout` another caller's load took longer than this one would wait
 * - `storage_full`, `storage_busy` the disk of the file driver is full, or locked by another process
 */
export const CACHE_ERROR_CODES = [
  'key_invalid',
  'key_not_found',
  'key_exists',
  'keys_exist',
  'ttl_invalid',
  'value_invalid',
  'value_too_large',
  'tag_invalid',
  'etag_mismatch',
  'not_an_integer',
  'cursor_invalid',
  'cache_lease_lost',
  'load_timeout',
  'flush_denied',
  'flush_unconfirmed',
  'storage_full',
  'storage_busy',
] as const;
export type CacheErrorCode = (typeof CACHE_ERROR_CODES)[number];
