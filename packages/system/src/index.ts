export { type AccountBody, newAccount, passwordFault, recordedAccounts } from './account-record.ts';
export { builtInAlerts, recordedAlerts } from './alert-record.ts';
export { type AlertStand, AlertStates, type StandingAlert, standKey } from './alert-states.ts';
export { Book, type Expectation, type Issue, type Recorded } from './book.ts';
export { type ConnectionTest, testConnection } from './connection-test.ts';
export { DatasetMemory } from './dataset-memory.ts';
export { systemKeys } from './keys.ts';
export { PasswordCheck, sealPassword } from './password.ts';
export { acknowledge, RedisWatch } from './redis-watch.ts';
export { POLL_INTERVAL_MS, Registry, type StoredRecord } from './registry.ts';
export {
  ACCOUNT_ROLES,
  type AccountRole,
  type Alert,
  type AlertState,
  type Author,
  type Authorship,
  type RecordKind,
  type RecordOrigin,
  SYSTEM_ERROR_CODES,
  type SystemErrorCode,
  type TrailEntry,
} from './schemas.ts';
export {
  patchService,
  recordedServices,
  replaceService,
  type ServiceBody,
  type ServiceSecrets,
  serviceConfigOf,
  toldService,
} from './service-record.ts';
export { MAX_TRAIL_ENTRIES, Trail, type TrailPage } from './trail.ts';
export { observeWatches, type WatchWarning, watchWarnings } from './watch-report.ts';
