/** This file owns the reading of jobs: one by its id, a page of those in one state, those of them that fit a search. */
import type { RedisClient } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { type Cursor, readCursor, writeCursor } from './cursor.ts';
import { check, invalid } from './data.ts';
import { endOverdueJobs } from './expiry.ts';
import { isJobId, placeOf } from './keys.ts';
import type { Queues } from './queues.ts';
import { type JobsErrorCode, type ListedState, listedStateSchema, MAX_PAGE } from './schemas.ts';
import { listJobs, readJob } from './scripts.ts';
import { type FoundJob, JOB_FIELDS, type JobView, jobFields, viewJob } from './view.ts';

export interface PageOptions {
  state: ListedState;
  /** 1 to 100; default 20. */
  limit?: number | undefined;
  /** What the page before said in `next`. */
  cursor?: string | undefined;
}

export interface JobPage {
  /**
   * `waiting`, `active`: the one next in line (or longest at work) first · `prioritized`, `delayed`: the next first ·
   * `completed`, `failed`: the last first. Fewer than `limit` when they are large.
   */
  jobs: JobView[];
  /** `null`: that was the last page. */
  next: string | null;
}

/** A job fits when each text that is given is found in it; letters are compared as they are written, in JSON too. */
export interface SearchOptions extends PageOptions {
  /** Part of the id. */
  id?: string | undefined;
  /** The whole name. */
  name?: string | undefined;
  /** Part of the data as JSON text. */
  text?: string | undefined;
}

export interface SearchPage extends JobPage {
  /** Jobs looked at for this page. A page may be empty and not the last: go on with `next`. */
  examined: number;
}

export interface Filter {
  /** Of BullMQ's hash, or the id. */
  field: 'id' | 'name' | 'data' | 'failedReason';
  how: 'is' | 'has' | 'begins';
  text: string;
}

export interface FoundPage {
  found: FoundJob[];
  examined: number;
  next: Cursor | undefined;
}

const DEFAULT_PAGE = 20;
/** Of one page; data may be a megabyte a job. */
const MAX_PAGE_BYTES = 4 * 1_048_576;
/** In one script call: about 5 ms of small jobs. */
const LOOK_AT = 1_000;
/** Of a search; what it has not seen by then is left to the next page. */
const SEARCH_BUDGET_MS = 1_000;

const ORDER: Readonly<Record<ListedState, 'list' | 'up' | 'down'>> = {
  waiting: 'list',
  active: 'list',
  prioritized: 'up',
  delayed: 'up',
  'waiting-children': 'up',
  completed: 'down',
  failed: 'down',
};

export interface ReaderOptions {
  client: RedisClient;
  queues: Queues;
  clock: Clock;
}

export class Reader {
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  async get(queue: string, id: string): Promise<JobView> {
    const job = await this.find(queue, id);
    if (!job) throw new DomainError<JobsErrorCode>('job_not_found', `queue ${queue} has no job of this id`);
    return job;
  }

  /** `undefined` when there is no such job. */
  async find(queue: string, id: string): Promise<JobView | undefined> {
    const { client, clock, queues } = this.#options;
    const found = await this.lookUp(queue, id);
    if (!found) return undefined;
    const now = clock.now();
    const ended = await endOverdueJobs(client, queues.open(queue), [found], now);
    // Ended without being kept, it is told once more as it was.
    const current = ended === 0 ? found : ((await this.lookUp(queue, id)) ?? found);
    return viewJob(current, now);
  }

  /** The same as BullMQ stores it. */
  async lookUp(queue: string, id: string): Promise<FoundJob | undefined> {
    const { client, queues } = this.#options;
    const { keys } = queues.open(queue);
    // An id that is no id would name one of BullMQ's own keys.
    if (!isJobId(id)) return undefined;
    const reply = (await readJob.run(client, {
      keys: {
        job: keys.base + id,
        completed: keys.completed,
        failed: keys.failed,
        delayed: keys.delayed,
        prioritized: keys.prioritized,
        waiting_children: keys['waiting-children'],
        active: keys.active,
      },
      args: { id },
      moreArgs: JOB_FIELDS,
    })) as [ListedState, string, ...(string | null)[]] | null;
    if (reply === null) return undefined;
    const [place, score, ...values] = reply;
    return { queue, id, place, score, fields: jobFields(values) };
  }

  async list(queue: string, { state, limit = DEFAULT_PAGE, cursor }: PageOptions): Promise<JobPage> {
    checkPage(state, limit);
    const from = cursor === undefined ? undefined : readCursor(cursor, state);
    const { found, next } = await this.page(queue, { state, limit, lookAt: limit, filters: [], from });
    const { client, clock, queues } = this.#options;
    await endOverdueJobs(client, queues.open(queue), found, clock.now());
    return { jobs: this.#views(found), next: next ? writeCursor(state, next) : null };
  }

  async search(queue: string, options: SearchOptions): Promise<SearchPage> {
    const { state, limit = DEFAULT_PAGE, cursor } = options;
    const { clock } = this.#options;
    checkPage(state, limit);
    const filters = searchFilters(options);
    const until = clock.monotonicMs() + SEARCH_BUDGET_MS;
    const found: FoundJob[] = [];
    let examined = 0;
    let next = cursor === undefined ? undefined : readCursor(cursor, state);
    do {
      const page = await this.page(queue, {
        state,
        limit: limit - found.length,
        lookAt: LOOK_AT,
        filters,
        from: next,
      });
      found.push(...page.found);
      examined += page.examined;
      next = page.next;
    } while (next && found.length < limit && clock.monotonicMs() < until);
    return { jobs: this.#views(found), examined, next: next ? writeCursor(state, next) : null };
  }

  /** One script call. `order` is the state's own unless given. */
  async page(
    queue: string,
    options: {
      state: ListedState;
      limit: number;
      lookAt: number;
      filters: readonly Filter[];
      from: Cursor | undefined;
      order?: 'up';
    },
  ): Promise<FoundPage> {
    const { client, queues } = this.#options;
    const { state, limit, lookAt, filters, from } = options;
    const { keys } = queues.open(queue);
    const [page, examined, hasMore, score, anchors] = (await listJobs.run(client, {
      keys: { base: keys.base, place: placeOf(keys, state) },
      args: {
        order: options.order ?? ORDER[state],
        limit,
        look_at: lookAt,
        max_bytes: MAX_PAGE_BYTES,
        filters: JSON.stringify(filters.map(({ field, how, text }) => [field, how, text])),
        score: from?.score ?? '',
        anchors: JSON.stringify(from?.anchors ?? []),
      },
      moreArgs: JOB_FIELDS,
    })) as [[string, string, ...(string | null)[]][], number, number, string, string[]];
    const found = page
      .map(([id, jobScore, ...values]) => ({
        queue,
        id,
        place: state,
        score: jobScore,
        fields: jobFields(values),
      }))
      // A hash that is gone, or was never a job's, leaves an id behind.
      .filter(({ fields }) => fields.timestamp !== null);
    return { found, examined, next: hasMore === 1 ? { score, anchors } : undefined };
  }

  #views(found: readonly FoundJob[]): JobView[] {
    const now = this.#options.clock.now();
    return found.map((job) => viewJob(job, now));
  }
}

function searchFilters({ id, name, text }: SearchOptions): Filter[] {
  const filters: Filter[] = [];
  if (id !== undefined) filters.push({ field: 'id', how: 'has', text: id });
  if (name !== undefined) filters.push({ field: 'name', how: 'is', text: name });
  if (text !== undefined) filters.push({ field: 'data', how: 'has', text });
  return filters;
}

function checkPage(state: unknown, limit: number): void {
  check(listedStateSchema, state, ['state']);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE)
    throw invalid(`limit ${limit} is not a whole number from 1 to ${MAX_PAGE}`);
}
