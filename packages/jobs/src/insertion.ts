/** This file owns one call of the batch insert: jobs to the arguments of its script, its reply to an outcome a job. */
import type { ChainableCommander, RedisClient, ScriptValue } from '@sluice/redis';
import { deduplicationKeys, type QueueKeys } from './keys.ts';
import type { Durability, JobState } from './schemas.ts';
import { insertJobs } from './scripts.ts';

/** Lua's `unpack` holds some thousands of values, and 500 jobs hold Redis for about 5 ms. */
export const MAX_INSERT_JOBS = 500;
/** Of data in one call: its time in Redis is its length. */
export const MAX_INSERT_CHARACTERS = 4 * 1_048_576;

export interface Insertion {
  /** `''`: Redis numbers it, as BullMQ does. */
  id: string;
  name: string;
  /** JSON text, stored as it is. */
  data: string;
  /** Epoch milliseconds. */
  timestamp: number;
  /** BullMQ's options in the short names it stores, as JSON. */
  optsJson: string;
  deduplicationId?: string | undefined;
  /** Inserted at most once per record; `windowMs` is how long the record stands. */
  once?: { record: string; fingerprint: string; windowMs: number } | undefined;
}

/**
 * - `inserted`
 * - `exists` a job of this id was there: nothing changed
 * - `deduplicated` job `id` stands for this one
 * - `replayed` its idempotency record says that job `id` is it
 * - `mismatch` its idempotency record belongs to another body
 * - `failed` Redis refused this job alone
 */
export type InsertOutcome =
  | { kind: 'inserted' | 'exists'; id: string }
  | { kind: 'deduplicated' | 'replayed'; id: string; state: JobState | 'removed' }
  | { kind: 'mismatch' }
  | { kind: 'failed'; message: string };

export interface InsertReply {
  /** The queue had no job before. */
  isNewQueue: boolean;
  /** In the jobs' order. */
  outcomes: InsertOutcome[];
}

/** What the caller takes the queue's setting to be; `any`: nobody waits for it. */
export type AssumedDurability = Durability | 'any';

/** The queue's durability is another than was assumed, so nothing was written. */
export interface OtherDurability {
  durability: Durability;
}

/** Inserts at most `MAX_INSERT_JOBS` jobs in one atomic step. Rejects as ioredis does; then none of them is known to be in. */
export async function insertBatch(
  client: RedisClient,
  keys: QueueKeys,
  jobs: readonly Insertion[],
  durability: AssumedDurability,
): Promise<InsertReply | OtherDurability> {
  return readReply(await insertJobs.run(client, insertInput(keys, jobs, durability)), jobs);
}

/** The same as one command of a pipeline, whose reply is for `readReply`. */
export function queueBatch(
  pipeline: ChainableCommander,
  keys: QueueKeys,
  jobs: readonly Insertion[],
  durability: AssumedDurability,
): void {
  insertJobs.queueInTurn(pipeline, insertInput(keys, jobs, durability));
}

function insertInput(keys: QueueKeys, jobs: readonly Insertion[], durability: AssumedDurability) {
  const kinds = new Kinds();
  const moreKeys: string[] = [];
  const moreArgs: ScriptValue[] = [];
  for (const job of jobs) {
    if (job.id !== '') moreKeys.push(keys.base + job.id);
    if (job.deduplicationId !== undefined) {
      const { current, next } = deduplicationKeys(keys, job.deduplicationId);
      moreKeys.push(current, next);
    }
    moreArgs.push(kinds.indexOf(job), job.data);
    if (job.once) {
      moreKeys.push(job.once.record);
      moreArgs.push(job.once.fingerprint);
    }
  }
  return {
    keys,
    args: { kinds: kinds.json(), count: jobs.length, durability: ASSUMED[durability] },
    moreKeys,
    moreArgs,
  };
}

const ASSUMED = {
  any: '*',
  memory: '',
  aof: 'aof',
  replica: 'replica',
  'aof+replica': 'aof+replica',
} as const satisfies Record<AssumedDurability, string>;

export function readReply(reply: unknown, jobs: readonly Insertion[]): InsertReply | OtherDurability {
  const [isNew, rest] = reply as [number, RawOutcome[] | string];
  if (typeof rest === 'string') return { durability: (rest || 'memory') as Durability };
  return {
    isNewQueue: isNew === 1,
    outcomes: rest.map((outcome, index) => readOutcome(outcome, (jobs[index] as Insertion).id)),
  };
}

/** Splits jobs into what one call may hold, in order. */
export function* batches(jobs: readonly Insertion[]): Generator<readonly Insertion[]> {
  let from = 0;
  let characters = 0;
  for (let at = 0; at < jobs.length; at += 1) {
    const size = (jobs[at] as Insertion).data.length;
    if (at > from && (at - from === MAX_INSERT_JOBS || characters + size > MAX_INSERT_CHARACTERS)) {
      yield jobs.slice(from, at);
      from = at;
      characters = 0;
    }
    characters += size;
  }
  if (from < jobs.length) yield jobs.slice(from);
}

/** What jobs of a batch have in common is sent, decoded and encoded once. Indexes begin at 1, as Lua's. */
class Kinds {
  readonly #indexes = new Map<string, number>();
  #last: Insertion | undefined;
  #lastIndex = 0;

  indexOf(job: Insertion): number {
    if (this.#last && isSameKind(this.#last, job)) return this.#lastIndex;
    const text = kindJson(job);
    const known = this.#indexes.get(text);
    const index = known ?? this.#indexes.size + 1;
    if (known === undefined) this.#indexes.set(text, index);
    this.#last = job;
    this.#lastIndex = index;
    return index;
  }

  json(): string {
    return `[${[...this.#indexes.keys()].join(',')}]`;
  }
}

function isSameKind(one: Insertion, other: Insertion): boolean {
  return (
    one.optsJson === other.optsJson &&
    one.timestamp === other.timestamp &&
    one.name === other.name &&
    one.once?.windowMs === other.once?.windowMs &&
    (one.id === '') === (other.id === '')
  );
}

function kindJson({ id, name, timestamp, optsJson, deduplicationId, once }: Insertion): string {
  const numbered = id === '' ? ',"numbered":true' : '';
  const deduplicated = deduplicationId === undefined ? '' : ',"deduplicated":true';
  const window = once ? `,"windowMs":${once.windowMs}` : '';
  return `{"name":${JSON.stringify(name)},"timestamp":${timestamp},"opts":${optsJson}${numbered}${deduplicated}${window}}`;
}

type RawOutcome = number | [number, string, string?];

function readOutcome(raw: RawOutcome, sentId: string): InsertOutcome {
  const [code, text = sentId, state] = typeof raw === 'number' ? [raw] : raw;
  switch (code) {
    case 1:
      return { kind: 'inserted', id: text };
    case 2:
      return { kind: 'exists', id: text };
    case 3:
      return { kind: 'deduplicated', id: text, state: state as JobState | 'removed' };
    case 4:
      return { kind: 'replayed', id: text, state: state as JobState | 'removed' };
    case 5:
      return { kind: 'mismatch' };
    default:
      return { kind: 'failed', message: text };
  }
}
