/**
 * This file owns a queue as Bull Board gets it: what it may read, redacted, and what it may do, in bounded steps.
 *
 * It delegates to Bull Board's own adapter member by member instead of extending it: what a later version adds is not
 * offered before somebody has looked at it.
 */
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { BaseAdapter } from '@bull-board/api/dist/queueAdapters/base.js';
import type {
  JobCleanStatus,
  JobCounts,
  JobRetryStatus,
  JobStatus,
  MetricsType,
  QueueJob,
  QueueMetrics,
  QueueRateLimit,
  Status,
} from '@bull-board/api/typings/app';
import type { ErrorCode } from '@sluice/contract';
import type { Jobs } from '@sluice/jobs';
import { DomainError } from '@sluice/runtime';
import { actOnSome, removableState, sweep } from './bulk.ts';
import type { FlowProducer, Job, JobNode, JobType, Queue } from './bullmq.ts';
import type { Redaction } from './redaction.ts';
import { retryAnew, ShownJob, shownOf } from './shown-job.ts';
import { type ShownScheduler, showSchedulers } from './shown-scheduler.ts';

/** Of each state, where the page shows all states together. */
const MAX_LATEST_JOBS = 20;
const JOBS_AT_ONCE = 5;
const MAX_LOG_LINES = 100;

/** What is done to many jobs at once, in bounded steps, and how they are found. */
export type BoardJobs = Pick<Jobs, 'clean' | 'drain' | 'redrive' | 'obliterate' | 'search' | 'remove'>;

export interface ShownQueueOptions {
  queue: Queue;
  jobs: BoardJobs;
  redaction: Redaction;
  isReadOnly: boolean;
  /** Whether a job can have this id. Others name BullMQ's own keys, which must not be read or removed as a job. */
  isJobId(id: string): boolean;
}

export class ShownQueue extends BaseAdapter {
  readonly #queue: Queue;
  readonly #jobs: BoardJobs;
  readonly #source: BullMQAdapter;
  readonly #redaction: Redaction;
  readonly #isJobId: (id: string) => boolean;

  constructor(options: ShownQueueOptions) {
    super('bullmq', { readOnlyMode: options.isReadOnly, allowRetries: !options.isReadOnly });
    this.#queue = options.queue;
    this.#jobs = options.jobs;
    this.#source = new BullMQAdapter(options.queue);
    this.#redaction = options.redaction;
    this.#isJobId = options.isJobId;
  }

  getName(): string {
    return this.#queue.name;
  }

  getQueueName(): string {
    return this.#queue.name;
  }

  getQueueQualifiedName(): string {
    return this.#queue.qualifiedName;
  }

  getStatuses(): Status[] {
    return this.#source.getStatuses();
  }

  getJobStatuses(): JobStatus[] {
    return this.#source.getJobStatuses();
  }

  getJobCounts(): Promise<JobCounts> {
    return this.#source.getJobCounts();
  }

  getMetrics(type: MetricsType, start?: number, end?: number): Promise<QueueMetrics> {
    return this.#source.getMetrics(type, start, end);
  }

  isPaused(): Promise<boolean> {
    return this.#queue.isPaused();
  }

  async getJob(id: string): Promise<ShownJob | undefined> {
    const job = await this.#find(id);
    return job && new ShownJob(job, this.#redaction, this.#jobs);
  }

  /**
   * Ids first, then the jobs: BullMQ's own `getJobs` reads every payload twice, the first time in one script. A few at a
   * time, each redacted as it comes, so that a page of large payloads holds nobody else up.
   */
  async getJobs(states: JobStatus[], start = 0, end = 0): Promise<ShownJob[]> {
    const last = states.length > 1 ? Math.min(end, start + MAX_LATEST_JOBS - 1) : end;
    const ids = await this.#queue.getRanges(states as JobType[], start, last);
    const shown: ShownJob[] = [];
    for (let from = 0; from < ids.length; from += JOBS_AT_ONCE) {
      const jobs = await Promise.all(ids.slice(from, from + JOBS_AT_ONCE).map((id) => this.getJob(id)));
      for (const job of jobs) {
        if (!job) continue;
        job.toJSON();
        shown.push(job);
      }
    }
    return shown;
  }

  /** The last lines, the oldest of them first. */
  async getJobLogs(id: string): Promise<string[]> {
    const job = await this.#find(id);
    if (!job) return [];
    const shown = shownOf(job, this.#redaction);
    const { logs, count } = await this.#queue.getJobLogs(id, 0, MAX_LOG_LINES - 1, false);
    const lines = logs.reverse().map((line) => shown.text('logs', line));
    return count > lines.length ? [`… [${count - lines.length} earlier lines]`, ...lines] : lines;
  }

  /** A producer as far as Bull Board uses it: to read a tree of jobs. */
  async getFlowProducer(): Promise<{ getFlow(options: FlowOptions): Promise<ShownNode | undefined> } | null> {
    const producer = await this.#source.getFlowProducer();
    return producer && { getFlow: async (options) => this.#showNode(await producer.getFlow(options)) };
  }

  pause(): Promise<void> {
    return this.#queue.pause();
  }

  resume(): Promise<void> {
    return this.#queue.resume();
  }

  async clean(state: JobCleanStatus, graceMs: number): Promise<void> {
    const cleaned = { state: removableState(state), olderThanMs: graceMs };
    await sweep((cursor) => this.#jobs.clean(this.#queue.name, { ...cleaned, cursor }));
  }

  async empty(): Promise<void> {
    await sweep(() => this.#jobs.drain(this.#queue.name));
  }

  async obliterate({ force = false }: { force?: boolean } = {}): Promise<void> {
    await sweep(() => this.#jobs.obliterate(this.#queue.name, { force }));
  }

  async promoteAll(): Promise<void> {
    await actOnSome(this.#queue, 'delayed', (job) => job.promote());
  }

  /** `skipped` counts those that are left for the next time. */
  async retryAll(state: JobRetryStatus): Promise<{ retried: number; skipped: number }> {
    const retried =
      state === 'failed'
        ? await sweep((cursor) => this.#jobs.redrive(this.#queue.name, { cursor }))
        : await actOnSome(this.#queue, state, (job) => retryAnew(job, state));
    const counts = await this.getJobCounts();
    return { retried, skipped: counts[state] ?? 0 };
  }

  getJobSchedulers(): Promise<ShownScheduler[]> {
    return showSchedulers(this.#queue, this.#redaction);
  }

  getJobSchedulersCount(): Promise<number> {
    return this.#queue.getJobSchedulersCount();
  }

  removeJobScheduler(id: string): Promise<boolean> {
    return this.#queue.removeJobScheduler(id);
  }

  override getArmedJobSchedulerId(job: QueueJob): Promise<string | null> {
    return this.#source.getArmedJobSchedulerId(job);
  }

  getGlobalConcurrency(): Promise<number | null> {
    return this.#queue.getGlobalConcurrency();
  }

  setGlobalConcurrency(concurrency: number): Promise<void> {
    return this.#source.setGlobalConcurrency(concurrency);
  }

  override get supportsGlobalRateLimit(): boolean {
    return true;
  }

  override getConfiguredRateLimit(): Promise<QueueRateLimit | null> {
    return this.#source.getConfiguredRateLimit();
  }

  override setConfiguredRateLimit(limit: QueueRateLimit): Promise<void> {
    return this.#source.setConfiguredRateLimit(limit);
  }

  override removeConfiguredRateLimit(): Promise<void> {
    return this.#source.removeConfiguredRateLimit();
  }

  override getActiveRateLimitTtl(): Promise<number> {
    return this.#source.getActiveRateLimitTtl();
  }

  override releaseActiveRateLimit(): Promise<void> {
    return this.#source.releaseActiveRateLimit();
  }

  // Never reached: `routes.ts` keeps these off, and tells the caller why.

  getRedisInfo(): Promise<null> {
    return Promise.resolve(null);
  }

  addJob(): Promise<never> {
    return Promise.reject(notOffered('add jobs'));
  }

  updateJobScheduler(): Promise<never> {
    return Promise.reject(notOffered('change schedulers'));
  }

  runJobSchedulerNow(): Promise<never> {
    return Promise.reject(notOffered('run schedulers'));
  }

  async #find(id: string): Promise<Job | undefined> {
    return this.#isJobId(id) ? await this.#queue.getJob(id) : undefined;
  }

  #showNode(node: JobNode | undefined): ShownNode | undefined {
    if (!node?.job) return undefined;
    const children = node.children?.map((child) => this.#showNode(child));
    return { job: new ShownJob(node.job, this.#redaction, this.#jobs), ...(children && { children }) };
  }
}

type FlowOptions = Parameters<FlowProducer['getFlow']>[0];

/** A tree of jobs; a child that is gone is `undefined`. */
interface ShownNode {
  job: ShownJob;
  children?: (ShownNode | undefined)[];
}

function notOffered(what: string): DomainError<ErrorCode> {
  return new DomainError('forbidden', `The board does not ${what}.`);
}
