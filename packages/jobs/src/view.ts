/** This file owns what a job looks like from outside: BullMQ's hash, read raw, to a `JobView`. */
import { JsonText } from '@sluice/runtime';
import { expiredReason, overdueSince } from './expiry.ts';
import { type JobFailure, readFailure } from './failure.ts';
import { attemptLimits, GROUP_PRIORITY, type StoredOptions } from './options.ts';
import type { DEDUPLICATION_MODES, JobState, ListedState } from './schemas.ts';

/** Times are milliseconds since the epoch; `null` means not yet, or none. */
export interface JobView {
  id: string;
  queue: string;
  name: string;
  state: JobState;
  /** As it was written, byte for byte. */
  data: JsonText;
  result: JsonText | null;
  progress: JsonText | null;
  /** Why it failed, or why its last attempt did. */
  error: JobFailure | null;
  /** Of the last attempts that threw, newest last. */
  stacks: string[];
  attempts: {
    /** Ended, with or without success. */
    made: number;
    started: number;
    max: number;
    /** Given to a worker that was never heard of again. */
    lost: number;
  };
  options: JobViewOptions;
  createdAt: number;
  /** When a delayed job becomes ready. */
  runAt: number | null;
  /** Of the last attempt. */
  startedAt: number | null;
  finishedAt: number | null;
  expiresAt: number | null;
  /** A running job that somebody asked to stop. */
  isCancelling: boolean;
  parent: { queue: string; id: string } | null;
  /** The scheduler that made it. */
  scheduler: string | null;
}

export interface JobViewOptions {
  /** 0 of a job with a group. */
  priority: number;
  group: string | null;
  lifo: boolean;
  backoff: { type: string; delay: number; jitter?: number } | null;
  timeoutMs: number | null;
  deduplication: { id: string; mode: (typeof DEDUPLICATION_MODES)[number]; ttlMs: number | null } | null;
}

/** Fields of BullMQ's hash, in the order the scripts are asked for them. */
export const JOB_FIELDS = [
  'name',
  'data',
  'opts',
  'timestamp',
  'priority',
  'progress',
  'returnvalue',
  'failedReason',
  'stacktrace',
  'atm',
  'ats',
  'stc',
  'processedOn',
  'finishedOn',
  'defa',
  'parentKey',
  'rjk',
] as const;

export type JobFields = Record<(typeof JOB_FIELDS)[number], string | null>;

export function jobFields(values: readonly (string | null)[]): JobFields {
  return Object.fromEntries(JOB_FIELDS.map((field, index) => [field, values[index] ?? null])) as JobFields;
}

export interface FoundJob {
  queue: string;
  id: string;
  /** Where it is kept. */
  place: ListedState;
  /** Of its place's zset; BullMQ's delayed score is the time × 4096. */
  score: string;
  fields: JobFields;
}

export function viewJob(found: FoundJob, now: number): JobView {
  const { queue, id, place, score, fields } = found;
  const overdue = overdueSince(found, now);
  const opts = readOptions(fields.opts);
  const createdAt = Number(fields.timestamp);
  const priority = Number(fields.priority ?? 0);
  const group = opts.sluice?.group ?? null;
  const { timeoutMs, expiresAt } = attemptLimits(opts, createdAt);
  const reason = overdue === undefined ? fields.failedReason : expiredReason(overdue);
  const error = reason === null ? null : readFailure(reason);
  return {
    id,
    queue,
    name: fields.name ?? '',
    state: overdue === undefined ? stateOf(place, error) : 'expired',
    data: new JsonText(fields.data ?? '{}'),
    result: fields.returnvalue === null ? null : new JsonText(fields.returnvalue),
    progress: fields.progress === null ? null : new JsonText(fields.progress),
    error,
    stacks: readStacks(fields.stacktrace),
    attempts: {
      made: Number(fields.atm ?? 0),
      started: Number(fields.ats ?? 0),
      max: Math.max(1, opts.attempts ?? 1),
      lost: Number(fields.stc ?? 0),
    },
    options: {
      priority: group !== null && priority === GROUP_PRIORITY ? 0 : priority,
      group,
      lifo: opts.lifo === true,
      backoff: typeof opts.backoff === 'object' ? (opts.backoff as JobViewOptions['backoff']) : null,
      timeoutMs: timeoutMs ?? null,
      deduplication: viewDeduplication(opts),
    },
    createdAt,
    runAt: place === 'delayed' ? Math.floor(Number(score) / 4_096) : null,
    startedAt: timeOf(fields.processedOn),
    finishedAt: timeOf(fields.finishedOn),
    expiresAt: expiresAt ?? null,
    isCancelling: place === 'active' && fields.defa !== null && readFailure(fields.defa).code === 'cancelled',
    parent: readParent(fields.parentKey),
    scheduler: fields.rjk,
  };
}

function stateOf(place: ListedState, error: JobFailure | null): JobState {
  if (place === 'failed' && (error?.code === 'expired' || error?.code === 'cancelled')) return error.code;
  return place;
}

function readOptions(text: string | null): StoredOptions & { de?: StoredOptions['deduplication'] } {
  return text === null ? {} : (JSON.parse(text) as StoredOptions);
}

function viewDeduplication({ de }: { de?: StoredOptions['deduplication'] }): JobViewOptions['deduplication'] {
  if (!de) return null;
  const { id, ttl, replace, keepLastIfActive } = de;
  if (keepLastIfActive) return { id, mode: 'keep_last', ttlMs: null };
  if (ttl === undefined) return { id, mode: 'simple', ttlMs: null };
  return { id, mode: replace ? 'debounce' : 'throttle', ttlMs: ttl };
}

function readStacks(text: string | null): string[] {
  if (text === null) return [];
  const stacks: unknown = JSON.parse(text);
  return Array.isArray(stacks) ? stacks.filter((stack): stack is string => typeof stack === 'string') : [];
}

/** `{prefix}:{queue}:{id}`; neither prefix nor queue holds a colon, and a scheduler's ids do. */
export function readParent(key: string | null): JobView['parent'] {
  const [, queue, ...id] = key === null ? [] : key.split(':');
  return queue === undefined ? null : { queue, id: id.join(':') };
}

function timeOf(text: string | null): number | null {
  return text === null ? null : Number(text);
}
