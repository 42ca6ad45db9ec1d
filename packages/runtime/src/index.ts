export { type Clock, systemClock } from './clock.ts';
export { DeadlineError, within } from './deadline.ts';
export { parseBytes, parseDuration } from './duration.ts';
export { DomainError, type ErrorDetails } from './errors.ts';
export { FileLock, type HeldLock } from './file-lock.ts';
export {
  type JsonMember,
  JsonText,
  jsonDepth,
  jsonElements,
  jsonMembers,
  stringifyCarrying,
} from './json.ts';
export { mergePatch } from './json-merge.ts';
export { DEFAULT_STOP_DEADLINE_MS, type Running, type Service, startAll, untilSignal } from './lifecycle.ts';
export { createLog, LOG_LEVELS, type Log, type LogLevel } from './log.ts';
export { type Counter, type Gauge, type Histogram, LATENCY_BUCKETS_SECONDS, Metrics } from './metrics.ts';
export { type Seal, sealFor } from './seal.ts';
export { deriveSecret, loadMasterSecret, MASTER_SECRET_MIN_CHARACTERS } from './secret.ts';
