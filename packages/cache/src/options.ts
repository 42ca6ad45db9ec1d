/** This file owns what a cache is made with, and what its counters are told. */
import type { Clock } from '@sluice/runtime';
import type { InvalidationBus } from './bus.ts';
import type { CacheDriver } from './driver.ts';
import type { NearOptions } from './near.ts';
import type { Ttl } from './rules.ts';

export interface CacheOptions {
  /** The service's name, as in its URL. */
  name: string;
  driver: CacheDriver;
  /** Minutes, as the page has it; default 300. 0 keeps for ever. */
  defaultTtlMinutes?: number | undefined;
  /** Bytes of one value's JSON text; default 1 MiB. */
  maxValueBytes?: number | undefined;
  /** Texts longer than this are deflated when that makes them shorter; default never. Other Redis clients cannot read them then. */
  deflateOverBytes?: number | undefined;
  /** Keeps entries in this process as well; default not. `bus` tells of what other processes change. */
  near?: (NearOptions & { bus: InvalidationBus }) | undefined;
  /** Told when a load failed whose callers had a stale value already. */
  onRefreshFailure?: ((error: unknown, key: string) => void) | undefined;
  clock?: Clock | undefined;
}

export interface IncrementOptions {
  /** A whole number; default 1. */
  by?: number;
  /** The sum stays within; default what JavaScript counts exactly. */
  min?: number;
  max?: number;
  /** For an entry that begins with this call; one that exists keeps its own. Default the service's. */
  ttl?: Ttl | undefined;
}
