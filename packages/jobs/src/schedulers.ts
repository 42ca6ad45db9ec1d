/** This file owns schedulers: rules by which BullMQ makes a job again and again. */
import { isDeepStrictEqual } from 'node:util';
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError, JsonText } from '@sluice/runtime';
import { bullCode } from './bull-code.ts';
import { check, dataText, invalid } from './data.ts';
import { givenOptions, type StoredOptions, templateOptions } from './options.ts';
import { type OpenQueue, type Queues, registerQueue } from './queues.ts';
import {
  type JobsErrorCode,
  jobNameSchema,
  MAX_PAGE,
  type Schedule,
  schedulerIdSchema,
  scheduleSchema,
  type TemplateOptions,
  templateOptionsSchema,
} from './schemas.ts';
import { optionsJson } from './stored-job.ts';

export interface SchedulerJob {
  name: string;
  /** Any JSON; `JsonText` is stored as it is written. Absent: `{}`. */
  data?: unknown;
  opts?: TemplateOptions | undefined;
}

export interface SchedulerView {
  id: string;
  queue: string;
  /** Milliseconds since the epoch; when its next job is due. `null`: none is left. */
  nextAt: number | null;
  /** Jobs made so far. */
  made: number;
  schedule: Schedule;
  job: { name: string; data: JsonText; opts: TemplateOptions };
}

export interface SchedulerPage {
  /** The one whose job is due next first. */
  schedulers: SchedulerView[];
  total: number;
}

export const MAX_SCHEDULERS = 1_000;

export interface SchedulersOptions {
  client: RedisClient;
  keys: Keyspace;
  queues: Queues;
  clock: Clock;
  maxDataBytes: number;
}

export class Schedulers {
  readonly #options: SchedulersOptions;

  constructor(options: SchedulersOptions) {
    this.#options = options;
  }

  /**
   * Makes the scheduler, or makes it so. Saying the same again changes nothing, from however many processes: each of its
   * jobs is made once. A change replaces the job that waits for its time; one that runs goes on.
   */
  async upsert(queueName: string, id: string, schedule: Schedule, job: SchedulerJob): Promise<SchedulerView> {
    const { client, keys, queues, maxDataBytes } = this.#options;
    const queue = queues.open(queueName);
    const repeat = await this.#repeatOf(check(scheduleSchema, schedule, []));
    const opts = job.opts === undefined ? {} : check(templateOptionsSchema, job.opts, ['job', 'opts']);
    const template = {
      name: check(jobNameSchema, job.name, ['job', 'name']),
      data: dataText(job.data, maxDataBytes),
      opts: templateOptions(opts),
    };
    const known = await this.#read(queue, check(schedulerIdSchema, id, ['id']));
    const wanted = { ...repeat, ...template, opts: JSON.parse(optionsJson(template.opts)) as unknown };
    if (known && isDeepStrictEqual(definitionOf(known.fields), wanted) && known.isArmed)
      return viewOf(queueName, id, known);
    if (!known && (await client.zcard(queue.keys.repeat)) >= MAX_SCHEDULERS) {
      throw invalid(`queue ${queueName} holds ${MAX_SCHEDULERS} schedulers already`);
    }
    await registerQueue(client, keys, queueName);
    try {
      const { upsertScheduler } = await import('./bullmq.ts');
      await upsertScheduler(await queue.backend(), id, repeat, template);
    } catch (error) {
      if (bullCode(error) === undefined) throw error;
      throw new DomainError<JobsErrorCode>(
        'job_locked',
        `the next job of scheduler ${id} is there already, from one before it`,
      );
    }
    return await this.get(queueName, id);
  }

  async get(queueName: string, id: string): Promise<SchedulerView> {
    const known = await this.#read(
      this.#options.queues.open(queueName),
      check(schedulerIdSchema, id, ['id']),
    );
    if (!known) throw unknown(queueName, id);
    return viewOf(queueName, id, known);
  }

  async list(
    queueName: string,
    { offset = 0, limit = 20 }: { offset?: number; limit?: number },
  ): Promise<SchedulerPage> {
    const { client, queues } = this.#options;
    const queue = queues.open(queueName);
    if (limit < 1 || limit > MAX_PAGE || offset < 0)
      throw invalid(`limit is 1 to ${MAX_PAGE}, offset 0 or more`);
    const ids = await client.zrange(queue.keys.repeat, String(offset), String(offset + limit - 1));
    const found = await Promise.all(ids.map((id) => this.#read(queue, id)));
    return {
      schedulers: found.flatMap((known, index) =>
        known ? [viewOf(queueName, ids[index] as string, known)] : [],
      ),
      total: await client.zcard(queue.keys.repeat),
    };
  }

  /** The job that waits for its time goes with it; one that is ready or runs does not. Code `scheduler_not_found`. */
  async remove(queueName: string, id: string): Promise<void> {
    const backend = await this.#options.queues.open(queueName).backend();
    if ((await backend.removeJobScheduler(check(schedulerIdSchema, id, ['id']))) !== 0)
      throw unknown(queueName, id);
  }

  /** Ids of those that were due before this time, in milliseconds since the epoch. */
  async due(queueName: string, before: number, limit: number): Promise<string[]> {
    const { client, queues } = this.#options;
    const { repeat } = queues.open(queueName).keys;
    return await client.zrangebyscore(repeat, '-inf', before, 'LIMIT', 0, limit);
  }

  /** Makes its next job if it has stopped. False when it goes on by itself, or has come to its end. */
  async rearm(queueName: string, id: string): Promise<boolean> {
    const known = await this.#read(this.#options.queues.open(queueName), id);
    if (!known || known.isArmed || this.#isOver(known)) return false;
    const { schedule, job } = viewOf(queueName, id, known);
    await this.upsert(queueName, id, schedule, job);
    return true;
  }

  #isOver({ fields }: KnownScheduler): boolean {
    const limit = numberIn(fields, 'limit');
    if (limit !== undefined && Number(fields.ic ?? 0) >= limit) return true;
    const endDate = numberIn(fields, 'endDate');
    return endDate !== undefined && endDate <= this.#options.clock.now();
  }

  async #read({ keys }: OpenQueue, id: string): Promise<KnownScheduler | undefined> {
    const { client } = this.#options;
    const [nextAt, fields] = await Promise.all([
      client.zscore(keys.repeat, id),
      client.hgetall(`${keys.repeat}:${id}`),
    ]);
    if (nextAt === null || fields.name === undefined) return undefined;
    const job = await client.hmget(`${keys.repeat}:${id}:${nextAt}`, 'timestamp', 'finishedOn');
    const isArmed = job[0] !== null && job[1] === null;
    return { nextAt: Number(nextAt), fields, isArmed };
  }

  /** A schedule in BullMQ's words. Throws `job_invalid` for one that never comes due. */
  async #repeatOf({ cron, tz, every, limit, starts_at, ends_at }: Schedule): Promise<Repeat> {
    const now = this.#options.clock.now();
    const endDate = ends_at === undefined ? undefined : Date.parse(ends_at);
    if (endDate !== undefined && endDate <= now) throw invalid(`ends_at ${ends_at} has passed`);
    const repeat: Repeat = {
      ...(cron !== undefined && { pattern: cron, tz: checkTimeZone(tz ?? 'UTC') }),
      ...(every !== undefined && { every }),
      ...(limit !== undefined && { limit }),
      ...(starts_at !== undefined && { startDate: Date.parse(starts_at) }),
      ...(endDate !== undefined && { endDate }),
    };
    if (cron !== undefined) await checkCron(repeat, now);
    return repeat;
  }
}

interface Repeat {
  pattern?: string;
  tz?: string;
  every?: number;
  limit?: number;
  startDate?: number;
  endDate?: number;
}

interface KnownScheduler {
  nextAt: number;
  /** BullMQ's hash. */
  fields: Readonly<Record<string, string>>;
  /** Whether the job it made last is there, and has not ended: then the next one is to come. */
  isArmed: boolean;
}

function checkTimeZone(tz: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: tz }).resolvedOptions().timeZone;
  } catch (cause) {
    throw new DomainError<JobsErrorCode>('job_invalid', `tz ${tz} is no time zone known here`, { cause });
  }
}

async function checkCron(repeat: Repeat, now: number): Promise<void> {
  const { firstRun } = await import('./bullmq.ts');
  let first: number | undefined;
  try {
    first = firstRun(repeat, now);
  } catch (cause) {
    throw new DomainError<JobsErrorCode>('job_invalid', `cron '${repeat.pattern}' cannot be read`, { cause });
  }
  if (first === undefined) throw invalid(`cron '${repeat.pattern}' never comes due`);
}

function numberIn(fields: KnownScheduler['fields'], name: string): number | undefined {
  return fields[name] === undefined ? undefined : Number(fields[name]);
}

/** What a scheduler was made of, as `upsert` would make it. */
function definitionOf(fields: KnownScheduler['fields']): object {
  const { every, limit, startDate, endDate } = {
    every: numberIn(fields, 'every'),
    limit: numberIn(fields, 'limit'),
    startDate: numberIn(fields, 'startDate'),
    endDate: numberIn(fields, 'endDate'),
  };
  return {
    ...(fields.pattern !== undefined && { pattern: fields.pattern, tz: fields.tz }),
    ...(every !== undefined && { every }),
    ...(limit !== undefined && { limit }),
    ...(startDate !== undefined && { startDate }),
    ...(endDate !== undefined && { endDate }),
    name: fields.name,
    data: fields.data ?? '{}',
    opts: JSON.parse(fields.opts ?? '{}') as unknown,
  };
}

function viewOf(queue: string, id: string, { nextAt, fields, isArmed }: KnownScheduler): SchedulerView {
  const startsAt = numberIn(fields, 'startDate');
  const endsAt = numberIn(fields, 'endDate');
  const every = numberIn(fields, 'every');
  const limit = numberIn(fields, 'limit');
  return {
    id,
    queue,
    nextAt: isArmed ? nextAt : null,
    made: Number(fields.ic ?? 0),
    schedule: {
      ...(fields.pattern !== undefined && { cron: fields.pattern }),
      ...(fields.tz !== undefined && { tz: fields.tz }),
      ...(every !== undefined && { every }),
      ...(limit !== undefined && { limit }),
      ...(startsAt !== undefined && { starts_at: new Date(startsAt).toISOString() }),
      ...(endsAt !== undefined && { ends_at: new Date(endsAt).toISOString() }),
    },
    job: {
      name: fields.name ?? '',
      data: new JsonText(fields.data ?? '{}'),
      opts: givenOptions(JSON.parse(fields.opts ?? '{}') as StoredOptions),
    },
  };
}

function unknown(queue: string, id: string): DomainError<JobsErrorCode> {
  return new DomainError('scheduler_not_found', `queue ${queue} has no scheduler ${id}`);
}
