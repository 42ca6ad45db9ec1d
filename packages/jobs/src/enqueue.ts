/** This file owns the way of a new job into its queue: checked, given an id, written once per idempotency key, answered. */
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { type BacklogBound, reserve } from './backlog.ts';
import { check, dataText, invalid } from './data.ts';
import type { GroupCommit, InsertResult } from './group-commit.ts';
import { newJobId } from './ids.ts';
import type { Insertion } from './insertion.ts';
import { digest, idempotencyRecord } from './keys.ts';
import { type StoredOptions, storedOptions } from './options.ts';
import type { OpenQueue, Queues } from './queues.ts';
import {
  type Durability,
  idempotencyKeySchema,
  type JobOptions,
  type JobState,
  type JobsErrorCode,
  jobNameSchema,
  jobOptionsSchema,
  MAX_BATCH,
} from './schemas.ts';
import { optionsJson } from './stored-job.ts';
import type { TraceCarrier } from './tracing.ts';

export const DEFAULT_IDEMPOTENCY_WINDOW_MS = 86_400_000;
/** Of a job's data as JSON. */
export const DEFAULT_MAX_DATA_BYTES = 1_048_576;

export interface NewJob {
  name: string;
  /** Any JSON; `JsonText` is stored as it is written. Absent: `{}`. */
  data?: unknown;
  opts?: JobOptions | undefined;
  /** A second job with this key within the window is the first one again. */
  idempotencyKey?: string | undefined;
}

export interface EnqueuedJob {
  id: string;
  queue: string;
  name: string;
  /** Just after it was written; of a twin's job, what its first answer said. `removed`: the job that stands for it is gone again. */
  state: JobState | 'removed';
  /** False when the id is that of a job enqueued earlier. */
  created: boolean;
  /** Its deduplication id belongs to job `id`, so this one was dropped (`keep_last`: kept for later). */
  deduplicated: boolean;
  /** What holds it for certain: its queue's durability when it was written. */
  durability: Durability;
}

/** `error` is a `DomainError`, or what ioredis rejected with. */
export type EnqueueResult = { ok: true; job: EnqueuedJob } | { ok: false; error: unknown };

export interface EnqueueOptions {
  /** What may wait of this caller's; `undefined`: no bound, and no question about it. */
  backlog?: BacklogBound | undefined;
}

export interface EnqueueManyOptions extends EnqueueOptions {
  /** One invalid job: `refuse` (default) writes none of them, `skip` writes the others. */
  onInvalid?: 'refuse' | 'skip' | undefined;
}

export interface EnqueuerOptions {
  client: RedisClient;
  queues: Queues;
  commits: GroupCommit;
  clock: Clock;
  idempotencyWindowMs: number;
  maxDataBytes: number;
  /** `undefined`: nobody traces. */
  tracing: TraceCarrier | undefined;
}

interface Prepared {
  insertion: Insertion;
  /** Where it is if it goes in. */
  firstState: JobState;
}

export class Enqueuer {
  readonly #options: EnqueuerOptions;

  constructor(options: EnqueuerOptions) {
    this.#options = options;
  }

  async enqueue(queueName: string, job: NewJob, { backlog }: EnqueueOptions = {}): Promise<EnqueuedJob> {
    const { client, queues, commits } = this.#options;
    const queue = queues.open(queueName);
    const prepared = this.#prepare(queue, job);
    if (backlog) await reserve(client, queue, [prepared.insertion.id], backlog);
    return enqueued(queue, prepared, await commits.add(queue, prepared.insertion));
  }

  async enqueueMany(
    queueName: string,
    jobs: readonly NewJob[],
    { onInvalid = 'refuse', backlog }: EnqueueManyOptions,
  ): Promise<EnqueueResult[]> {
    const queue = this.#options.queues.open(queueName);
    if (jobs.length > MAX_BATCH)
      throw invalid(`a batch of ${jobs.length} jobs is above the limit of ${MAX_BATCH}`);
    const prepared = jobs.map((job) => settleNow(() => this.#prepare(queue, job)));
    const isRefused = onInvalid === 'refuse' && prepared.some((each) => 'error' in each);
    const ready = isRefused
      ? []
      : prepared.flatMap((each) => ('value' in each ? [each.value.insertion] : []));
    if (backlog && ready.length > 0) {
      const ids = ready.map(({ id }) => id);
      await reserve(this.#options.client, queue, ids, backlog);
    }
    const written = await this.#options.commits.addAll(queue, ready);
    let next = 0;
    return prepared.map((each): EnqueueResult => {
      if ('error' in each) return { ok: false, error: each.error };
      if (isRefused) return { ok: false, error: refused() };
      const result = written[next++] as InsertResult;
      if (result.kind === 'rejected') return { ok: false, error: result.error };
      const described = settleNow(() => enqueued(queue, each.value, result));
      return 'error' in described
        ? { ok: false, error: described.error }
        : { ok: true, job: described.value };
    });
  }

  #prepare(queue: OpenQueue, job: NewJob): Prepared {
    const { clock, idempotencyWindowMs, maxDataBytes } = this.#options;
    const now = clock.now();
    const name = check(jobNameSchema, job.name, ['name']);
    const opts = job.opts === undefined ? undefined : check(jobOptionsSchema, job.opts, ['opts']);
    const key =
      job.idempotencyKey === undefined
        ? undefined
        : check(idempotencyKeySchema, job.idempotencyKey, ['idempotency_key']);
    const data = dataText(job.data, maxDataBytes);
    const expiresAt = opts?.expires_at === undefined ? undefined : Date.parse(opts.expires_at);
    if (expiresAt !== undefined && expiresAt <= now)
      throw invalid(`expires_at ${opts?.expires_at} has passed`);
    const stored = this.#traced(storedOptions(opts, now));
    const insertion: Insertion = {
      id: newJobId(now),
      name,
      data,
      timestamp: now,
      optsJson: storedJson(stored),
      deduplicationId: opts?.deduplication?.id,
      once:
        key === undefined
          ? undefined
          : {
              record: idempotencyRecord(queue.keys, key),
              fingerprint: digest(name, data, JSON.stringify(opts ?? {})),
              windowMs: idempotencyWindowMs,
            },
    };
    return { insertion, firstState: firstState(stored) };
  }

  /** With the trace it is enqueued in, as BullMQ carries one. */
  #traced(stored: StoredOptions): StoredOptions {
    const metadata = this.#options.tracing?.carrier();
    return metadata === undefined ? stored : { ...stored, telemetry: { metadata } };
  }
}

/** Throws `idempotency_mismatch`, `durability_not_confirmed`, and what Redis said against this job alone. */
function enqueued(
  queue: OpenQueue,
  { insertion, firstState }: Prepared,
  outcome: Exclude<InsertResult, { kind: 'rejected' }>,
): EnqueuedJob {
  if (outcome.shortfall !== undefined && 'id' in outcome) throw notConfirmed(queue, outcome);
  const job: EnqueuedJob = {
    id: '',
    queue: queue.name,
    name: insertion.name,
    state: firstState,
    created: false,
    deduplicated: false,
    durability: outcome.durability ?? 'memory',
  };
  switch (outcome.kind) {
    case 'inserted':
    case 'exists':
      job.id = outcome.id;
      job.created = outcome.kind === 'inserted';
      return job;
    case 'deduplicated':
    case 'replayed':
      job.id = outcome.id;
      job.state = outcome.state;
      job.deduplicated = outcome.kind === 'deduplicated';
      return job;
    case 'mismatch':
      throw new DomainError<JobsErrorCode>(
        'idempotency_mismatch',
        'the idempotency key was used for another job',
      );
    case 'failed':
      throw new Error(outcome.message);
  }
}

export function notConfirmed(
  queue: OpenQueue,
  { id, durability, shortfall }: { id: string; durability?: string; shortfall?: string | undefined },
): DomainError<JobsErrorCode> {
  return new DomainError(
    'durability_not_confirmed',
    `Job ${id} of queue ${queue.name} was written, and may be lost with its server: ${shortfall}.`,
    { details: { outcome: 'unknown', queue: queue.name, id, durability } },
  );
}

function firstState({ delay, priority }: StoredOptions): JobState {
  if (delay) return 'delayed';
  return priority ? 'prioritized' : 'waiting';
}

/** Most jobs have no options; theirs are one object and one text. */
const plain = storedOptions(undefined, 0);
const plainJson = optionsJson(plain);

function storedJson(options: StoredOptions): string {
  return options === plain ? plainJson : optionsJson(options);
}

function settleNow<T>(work: () => T): { value: T } | { error: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

function refused(): DomainError<JobsErrorCode> {
  return new DomainError('batch_refused', 'not written, because another job of the batch is invalid');
}
