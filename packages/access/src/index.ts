export { FIRST_KEY_MIN_CHARACTERS } from './api-key.ts';
export { Grants } from './grants.ts';
export { DEFAULT_ROTATION_OVERLAP_MS, KeyRing, type KeyRingOptions } from './key-ring.ts';
export type { ChangeCondition, ChangedBy, KeyTrail, MintedKey } from './key-store.ts';
export type { KeyPrincipal } from './key-table.ts';
export {
  ACCESS_ERROR_CODES,
  type AccessErrorCode,
  type Area,
  type KeyPatch,
  type KeyQuota,
  type KeyRecord,
  keyRecordSchema,
  type NewKey,
  newKeySchema,
  QUOTA_PERIODS,
  SCOPE_VERBS,
  scopeSchema,
  type Verb,
} from './schemas.ts';
