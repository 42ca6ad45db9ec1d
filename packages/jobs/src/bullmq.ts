/**
 * This file owns the meeting with BullMQ: its classes are named here and nowhere else on the producing side, and it is
 * handed a backend of ours whose `addJobs` inserts a batch in one script call instead of one call a job.
 */
import type { RedisClient } from '@sluice/redis';
import {
  QueueKeys as BullKeys,
  getNextMillis,
  type JobJson,
  JobScheduler,
  type JobsOptions,
  type MinimalJob,
  RedisConnection,
  RedisQueueBackend,
} from 'bullmq';
import { bullCode } from './bull-code.ts';
import { MAX_STALLED_COUNT, METRICS_MINUTES } from './bull-settings.ts';
import { batches, type Insertion, type InsertOutcome, insertBatch } from './insertion.ts';
import { type QueueKeys, turnKeys } from './keys.ts';
import type { StoredOptions } from './options.ts';
import { toInsertion } from './stored-job.ts';

type Entry = Parameters<RedisQueueBackend['addJobs']>[0][number];
type BackendOptions = ConstructorParameters<typeof RedisQueueBackend>[4];

/**
 * One connection for all queues of a process: BullMQ's scripts are loaded onto `client` once, and each queue is a light
 * sibling of it.
 *
 * `client` has the `request` profile and stays the caller's. It need not be ready: BullMQ neither waits for it nor asks
 * its version, so a command during an outage fails at once as the profile says.
 */
export class BullConnection {
  readonly #client: RedisClient;
  readonly #connection: RedisConnection;

  constructor(client: RedisClient) {
    this.#client = client;
    this.#connection = new RedisConnection(client, {
      shared: true,
      blocking: false,
      skipVersionCheck: true,
      skipWaitingForReady: true,
    });
    // Outages are reported where the client was made; a command that fails tells its own caller.
    this.#connection.on('error', () => undefined);
  }

  queue(prefix: string, queue: string): BatchingBackend {
    return new BatchingBackend(this.#client, this.#connection, prefix, queue);
  }

  /** Takes BullMQ's listeners off the client. */
  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** BullMQ's Redis backend with another way in for batches. Everything else is BullMQ's own. */
export class BatchingBackend extends RedisQueueBackend {
  readonly #client: RedisClient;
  readonly #keys: QueueKeys;

  constructor(client: RedisClient, connection: RedisConnection, prefix: string, queue: string) {
    const names = new BullKeys(prefix);
    const keys = names.getKeys(queue);
    // BullMQ's types want a connection here; the backend does not read it.
    const options: BackendOptions & { prefix: string; metrics: { maxDataPoints: number } } = {
      connection: {},
      prefix,
      metrics: { maxDataPoints: METRICS_MINUTES },
    };
    super(
      connection,
      queue,
      names.getKeys(queue),
      (type) => names.toKey(queue, type),
      options,
      undefined,
      false,
    );
    this.#client = client;
    const base = names.toKey(queue, '');
    this.#keys = { ...keys, base, ...turnKeys(base) } as QueueKeys;
  }

  get queueName(): string {
    return this.name;
  }

  override forQueue(queue: string, prefix?: string): BatchingBackend {
    return new BatchingBackend(this.#client, this.connection, prefix ?? this.redisPrefix, queue);
  }

  /** As BullMQ's own: the ids in order, or the first error. Which of the others are in, it does not say; `insertAll` does. */
  override async addJobs(entries: Entry[]): Promise<string[]> {
    const outcomes = await this.insertAll(entries);
    return outcomes.map((outcome) => {
      if (outcome.kind === 'failed') throw new Error(outcome.message);
      return 'id' in outcome ? outcome.id : '';
    });
  }

  /** Inserts in the order given: what our script knows by it, the rest (parents, …) by BullMQ's own. One outcome a job. */
  async insertAll(entries: readonly Entry[]): Promise<InsertOutcome[]> {
    const outcomes: InsertOutcome[] = [];
    const run: Insertion[] = [];
    const flush = async () => {
      for (const batch of batches(run)) {
        const reply = await insertBatch(this.#client, this.#keys, batch, 'any');
        if ('outcomes' in reply) outcomes.push(...reply.outcomes);
      }
      run.length = 0;
    };
    for (const entry of entries) {
      const insertion = toInsertion(entry);
      if (insertion) {
        run.push(insertion);
        continue;
      }
      await flush();
      outcomes.push(await this.#addByBullMq(entry));
    }
    await flush();
    return outcomes;
  }

  /** Moves finished jobs back into the queue, each by BullMQ's own script, their attempts counted from 0. One answer a job. */
  async reprocess(
    jobs: readonly { id: string; lifo: boolean }[],
    state: 'completed' | 'failed',
  ): Promise<('moved' | 'not_there')[]> {
    const keys = this.#keys;
    const client = await this.client;
    const pipeline = client.pipeline();
    for (const { id, lifo } of jobs) {
      this.execCommand(pipeline, 'reprocessJob', [
        keys.base + id,
        keys.events,
        keys[state],
        keys.wait,
        keys.meta,
        keys.active,
        keys.marker,
        keys.prioritized,
        keys.pc,
        id,
        lifo ? 'RPUSH' : 'LPUSH',
        state === 'failed' ? 'failedReason' : 'returnvalue',
        state,
        '1',
        '1',
      ]);
    }
    return ((await pipeline.exec()) ?? []).map(([error, code]) => {
      if (error) throw error;
      return code === 1 ? 'moved' : 'not_there';
    });
  }

  /** One step of BullMQ's obliterate: at most `count` jobs of a paused queue. */
  async obliterateStep(count: number, force: boolean): Promise<'more' | 'done' | 'active' | 'not_paused'> {
    const code: unknown = await this.execCommand(await this.client, 'obliterate', [
      this.#keys.meta,
      this.#keys.base,
      count,
      force ? 'force' : '',
    ]);
    if (code === -1) return 'not_paused';
    if (code === -2) return 'active';
    return code === 0 ? 'done' : 'more';
  }

  /** Completes a job by BullMQ's own script, which knows families and deduplication. Rejects with a `bullCode`. */
  async complete(
    { id, opts }: { id: string; opts: JobsOptions },
    result: string,
    token: string,
    fields: Record<string, string>,
  ): Promise<void> {
    const job = { id, opts } as MinimalJob;
    const { removeOnComplete } = opts;
    const now = Date.now();
    await this.moveToFinished(
      id,
      this.moveToFinishedArgs(
        job,
        result,
        'returnvalue',
        removeOnComplete,
        'completed',
        token,
        now,
        false,
        fields,
      ),
    );
  }

  /** BullMQ's look for lost locks; at most one in `intervalMs`, whoever looks. Answers the jobs that are handed out again. */
  async checkStalled(intervalMs: number): Promise<string[]> {
    const keys = this.#keys;
    return await this.execCommand(await this.client, 'moveStalledJobsToWait', [
      keys.stalled,
      keys.wait,
      keys.active,
      keys['stalled-check'],
      keys.meta,
      keys.paused,
      keys.marker,
      keys.events,
      keys.repeat,
      MAX_STALLED_COUNT,
      keys.base,
      Date.now(),
      intervalMs,
    ]);
  }

  async #addByBullMq({ job, jobId, parentKeyOpts }: Entry): Promise<InsertOutcome> {
    try {
      return { kind: 'inserted', id: await this.addJob(job, jobId, parentKeyOpts) };
    } catch (error) {
      if (bullCode(error) === undefined) throw error;
      return { kind: 'failed', message: (error as Error).message };
    }
  }
}

export interface SchedulerTemplate {
  name: string;
  /** JSON text. */
  data: string;
  opts: StoredOptions;
}

type RepeatOptions = Parameters<JobScheduler['upsertJobScheduler']>[1];

/**
 * Sets a scheduler by BullMQ's own class, which would parse and write the template's data anew: a backend of its own puts
 * the text in its place. Rejects with a `bullCode` when its next job cannot be made.
 */
export async function upsertScheduler(
  backend: BatchingBackend,
  id: string,
  repeat: RepeatOptions,
  { name, data, opts }: SchedulerTemplate,
): Promise<void> {
  const carrier = backend.forQueue(backend.queueName);
  const addJobScheduler = carrier.addJobScheduler.bind(carrier);
  carrier.addJobScheduler = (schedulerId, next, _data, ...rest) =>
    addJobScheduler(schedulerId, next, data, ...rest);
  const scheduler = new JobScheduler(backend.queueName, { connection: {} }, () => carrier);
  await scheduler.upsertJobScheduler(id, repeat, name, {}, opts, { override: true });
}

/** When a schedule's first job would be, or `undefined` when never. Throws what BullMQ's cron parser says of a bad expression. */
export function firstRun(repeat: RepeatOptions, now: number): number | undefined {
  const next: unknown = getNextMillis(now, repeat);
  return typeof next === 'number' ? next : undefined;
}

export interface FlowEntry {
  id: string;
  queue: string;
  prefix: string;
  name: string;
  data: string;
  opts: StoredOptions;
  timestamp: number;
  isParent: boolean;
  parent: { id: string; queueKey: string } | undefined;
}

/** Adds a whole tree by BullMQ's own transaction, parents before their children. Throws what it says of the first that it refuses. */
export async function addFlow(backend: BatchingBackend, entries: readonly FlowEntry[]): Promise<void> {
  const results = await backend.addFlow(
    entries.map(({ id, queue, prefix, name, data, opts, timestamp, isParent, parent }) => {
      const parentKey = parent && `${parent.queueKey}:${parent.id}`;
      const policy = parent && {
        ...parent,
        ...(opts.failParentOnFailure && { fpof: true }),
        ...(opts.continueParentOnFailure && { cpof: true }),
        ...(opts.ignoreDependencyOnFailure && { idof: true }),
        ...(opts.removeDependencyOnFailure && { rdof: true }),
      };
      const job: JobJson = {
        ...UNSTARTED,
        id,
        name,
        data,
        opts,
        timestamp,
        ...(policy && { parent: policy }),
        ...(parentKey && { parentKey }),
      };
      const parentKeyOpts = {
        ...(parentKey && { parentKey, parentDependenciesKey: `${parentKey}:dependencies` }),
        ...(isParent && { addToWaitingChildren: true }),
      };
      return { jobData: job, jobId: id, parentKeyOpts, prefix, queueName: queue };
    }),
  );
  for (const [error, answer] of results) {
    if (error) throw error;
    if (typeof answer === 'number' && answer < 0)
      throw new Error(`BullMQ refused a job of the flow with code ${answer}`);
  }
}

const UNSTARTED = {
  progress: 0,
  attemptsMade: 0,
  attemptsStarted: 0,
  stalledCounter: 0,
  failedReason: '',
  returnvalue: '',
};
