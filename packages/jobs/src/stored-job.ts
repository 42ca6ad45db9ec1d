/** This file owns the reading of a job as BullMQ hands it to its backend: into our batch insert where that can carry it exactly. */
import type { JobJson } from 'bullmq';
import type { Insertion } from './insertion.ts';
import type { StoredOptions } from './options.ts';

/** What BullMQ gives `addJobs`. */
export interface BullEntry {
  job: JobJson;
  jobId: string;
  parentKeyOpts?: { parentDependenciesKey?: string | undefined; addToWaitingChildren?: boolean | undefined };
}

/** BullMQ's options and the names it stores them under. An option that is not here is left to BullMQ. */
const STORED_NAMES: Readonly<Record<string, string>> = {
  attempts: 'attempts',
  backoff: 'backoff',
  delay: 'delay',
  jobId: 'jobId',
  lifo: 'lifo',
  priority: 'priority',
  removeOnComplete: 'removeOnComplete',
  removeOnFail: 'removeOnFail',
  sizeLimit: 'sizeLimit',
  sluice: 'sluice',
  stackTraceLimit: 'stackTraceLimit',
  timestamp: 'timestamp',
  telemetry: 'telemetry',
  deduplication: 'de',
  keepLogs: 'kl',
  failParentOnFailure: 'fpof',
  continueParentOnFailure: 'cpof',
  ignoreDependencyOnFailure: 'idof',
  removeDependencyOnFailure: 'rdof',
};

/** BullMQ's options as the JSON it would store. Every name must be known: for options of our own making. */
export function optionsJson(options: StoredOptions): string {
  const stored: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (name === 'telemetry') Object.assign(stored, storedTelemetry(options.telemetry));
    else if (value !== undefined) stored[STORED_NAMES[name] as string] = value;
  }
  return JSON.stringify(stored);
}

function storedTelemetry(telemetry: StoredOptions['telemetry']): {
  tm?: string | undefined;
  omc?: boolean | undefined;
} {
  return { tm: telemetry?.metadata, omc: telemetry?.omitContext };
}

/** The same job for our script, or `undefined` when it holds something that only BullMQ's own scripts know (a parent, …). */
export function toInsertion({ job, jobId, parentKeyOpts }: BullEntry): Insertion | undefined {
  if (job.parentKey || job.parent || job.repeatJobKey) return undefined;
  if (parentKeyOpts?.parentDependenciesKey || parentKeyOpts?.addToWaitingChildren) return undefined;
  if (!isText(job.name) || !isText(jobId ?? '') || !isCount(job.timestamp)) return undefined;
  const { delay, priority, deduplication } = job.opts;
  if (!isCount(delay ?? 0) || !isCount(priority ?? 0)) return undefined;
  if (job.deduplicationId !== deduplication?.id || deduplication?.id === '') return undefined;
  for (const [name, value] of Object.entries(job.opts)) {
    if (value !== undefined && !(Object.hasOwn(STORED_NAMES, name) && isCarried(value))) return undefined;
  }
  return {
    id: jobId ?? '',
    name: job.name,
    data: job.data,
    timestamp: job.timestamp,
    optsJson: optionsJson(job.opts),
    deduplicationId: deduplication?.id,
  };
}

/** Half a surrogate pair has no UTF-8, and MessagePack and JSON disagree about what to write instead. */
const HALF_CHARACTER = /\p{Surrogate}/u;

function isText(value: unknown): boolean {
  return typeof value === 'string' && !HALF_CHARACTER.test(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

/** What JSON and MessagePack carry into Lua alike. */
function isCarried(value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return true;
  if (typeof value === 'string') return isText(value);
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([name, member]) => isText(name) && isCarried(member));
}
