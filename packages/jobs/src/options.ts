/**
 * This file owns the translation of a job's options into BullMQ's, both ways. What BullMQ has no option for - the bound
 * of an attempt, the time by which a job must have started, its group - rides in BullMQ's options under `sluice`, and every worker
 * and lease reads it with `attemptLimits`.
 */
import type { JobsOptions } from 'bullmq';
import { KEPT_LOG_LINES } from './bull-settings.ts';
import { type JobOptions, RETAIN_BOUNDS, type TemplateOptions } from './schemas.ts';

/** BullMQ's priority of every job with a group; where among its equals is its turn's (lua/turns.lua). */
export const GROUP_PRIORITY = 1_000;

/** In BullMQ's options, where BullMQ carries it along unread. */
export interface OwnOptions {
  timeoutMs?: number;
  /** Epoch milliseconds. */
  expiresAt?: number;
  /** Of jobs a scheduler makes: from the time each is for. */
  ttlMs?: number;
  /** Whose it is. */
  group?: string;
}

export type StoredOptions = JobsOptions & { sluice?: OwnOptions };

export const DEFAULT_RETAIN = {
  completed: { age: 86_400, count: 1_000 },
  failed: { age: 14 * 86_400, count: 10_000 },
} as const;
const KEPT_STACKS = 3;

/** Every job has these; a job without options has nothing else, so they are written as JSON once. */
const ALWAYS: StoredOptions = {
  attempts: 1,
  removeOnComplete: DEFAULT_RETAIN.completed,
  removeOnFail: DEFAULT_RETAIN.failed,
  keepLogs: KEPT_LOG_LINES,
  stackTraceLimit: KEPT_STACKS,
};

/** BullMQ's options for a job made at `now`. `options` must have passed `jobOptionsSchema`: nothing else is let through. */
export function storedOptions(options: JobOptions | undefined, now: number): StoredOptions {
  if (options === undefined) return ALWAYS;
  const { lifo, attempts, backoff, deduplication, group } = options;
  const priority = group === undefined ? options.priority : GROUP_PRIORITY;
  const delay = delayOf(options, now);
  const own = ownOptions(options, now);
  return {
    ...ALWAYS,
    ...(attempts !== undefined && { attempts }),
    ...(delay > 0 && { delay }),
    ...(priority !== undefined && priority > 0 && { priority }),
    ...(lifo && { lifo }),
    ...(backoff && { backoff: { ...backoff } as NonNullable<JobsOptions['backoff']> }),
    ...(deduplication && { deduplication: storedDeduplication(deduplication) }),
    ...(options.retain && storedRetain(options.retain)),
    ...(own && { sluice: own }),
  };
}

/** What a runner of jobs must know. `opts` as BullMQ hands it over; `timestamp` is when the job was made. */
export function attemptLimits(opts: unknown, timestamp?: number): { timeoutMs?: number; expiresAt?: number } {
  const { sluice, delay = 0 } = (opts ?? {}) as StoredOptions;
  if (!sluice) return {};
  const { timeoutMs, ttlMs } = sluice;
  // A scheduler makes its next job when the one before begins, with the delay until its time.
  const relative = ttlMs === undefined || timestamp === undefined ? undefined : timestamp + delay + ttlMs;
  const expiresAt = sluice.expiresAt ?? relative;
  return { ...(timeoutMs !== undefined && { timeoutMs }), ...(expiresAt !== undefined && { expiresAt }) };
}

/** Whose a job is. `opts` as BullMQ hands it over. */
export function groupOf(opts: unknown): string | undefined {
  return (opts as StoredOptions | undefined)?.sluice?.group;
}

/** BullMQ's options for the jobs of a scheduler, which is told once and makes them later. */
export function templateOptions({ ttl, ...options }: TemplateOptions): StoredOptions {
  const stored = storedOptions(options, 0);
  return ttl === undefined ? stored : { ...stored, sluice: { ...stored.sluice, ttlMs: ttl } };
}

/** The options of a template as they were given, as far as BullMQ's options keep them. */
export function givenOptions(stored: StoredOptions): TemplateOptions {
  const { attempts, lifo, backoff, sluice } = stored;
  const priority = sluice?.group === undefined ? stored.priority : undefined;
  return {
    ...(attempts !== undefined && { attempts }),
    ...(priority !== undefined && { priority }),
    ...(lifo && { lifo }),
    ...(typeof backoff === 'object' && { backoff: backoff as NonNullable<TemplateOptions['backoff']> }),
    ...(sluice?.timeoutMs !== undefined && { timeout: sluice.timeoutMs }),
    ...(sluice?.ttlMs !== undefined && { ttl: sluice.ttlMs }),
    ...(sluice?.group !== undefined && { group: sluice.group }),
  };
}

/** The stored options, as JSON, without a time to start by that has passed; `''` when they hold none. */
export function withoutPassedExpiry(storedJson: string | null, timestamp: number, now: number): string {
  const opts = storedJson === null ? {} : (JSON.parse(storedJson) as StoredOptions);
  const { expiresAt } = attemptLimits(opts, timestamp);
  if (expiresAt === undefined || expiresAt > now) return '';
  const { expiresAt: _passed, ttlMs: _over, ...own } = opts.sluice ?? {};
  return JSON.stringify({ ...opts, sluice: own });
}

function delayOf(options: JobOptions, now: number): number {
  if (options.run_at !== undefined) return Math.max(0, Date.parse(options.run_at) - now);
  // A debounced job without a delay would run before the next one could replace it.
  if (options.delay === undefined && options.deduplication?.mode === 'debounce')
    return options.deduplication.ttl ?? 0;
  return options.delay ?? 0;
}

function ownOptions({ timeout, ttl, expires_at, group }: JobOptions, now: number): OwnOptions | undefined {
  const expiresAt = expires_at === undefined ? ttl && now + ttl : Date.parse(expires_at);
  if (timeout === undefined && expiresAt === undefined && group === undefined) return undefined;
  return {
    ...(timeout !== undefined && { timeoutMs: timeout }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(group !== undefined && { group }),
  };
}

function storedDeduplication({
  id,
  ttl,
  mode,
}: NonNullable<JobOptions['deduplication']>): NonNullable<JobsOptions['deduplication']> {
  switch (mode ?? (ttl === undefined ? 'simple' : 'throttle')) {
    case 'simple':
      return { id };
    case 'throttle':
      return { id, ttl: ttl as number };
    case 'debounce':
      return { id, ttl: ttl as number, extend: true, replace: true };
    case 'keep_last':
      return { id, keepLastIfActive: true };
  }
}

function storedRetain({ age, count }: NonNullable<JobOptions['retain']>): StoredOptions {
  const { ageSeconds, completedCount, failedCount } = RETAIN_BOUNDS;
  const keep = (defaults: KeepJobs, bounds: { min: number; max: number }) => ({
    age: Math.min(age ?? defaults.age, ageSeconds.max),
    count: count === 0 ? 0 : Math.min(Math.max(count ?? defaults.count, bounds.min), bounds.max),
  });
  return {
    removeOnComplete: keep(DEFAULT_RETAIN.completed, completedCount),
    removeOnFail: keep(DEFAULT_RETAIN.failed, failedCount),
  };
}

interface KeepJobs {
  age: number;
  count: number;
}
