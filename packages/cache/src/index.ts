export {
  Cache,
  type CacheOptions,
  keyNotFound,
  type SetItem,
  type SetOptions,
  type SetResult,
  type TimedEntry,
} from './cache.ts';
export type { CacheDriver, ListPage } from './driver.ts';
export { CacheEntry } from './entry.ts';
export { FileDriver } from './file-driver.ts';
export { openCache, type Premises } from './open.ts';
export { RedisDriver } from './redis-driver.ts';
export { checkKey, readTtl, type Ttl } from './rules.ts';
